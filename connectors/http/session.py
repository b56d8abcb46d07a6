"""One requests session a hub: user agent, timeouts, retries, and a key that never leaves its host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.util import Retry

from connectors.errors import AccessError, BadAnswer, KeyRequired
from connectors.http import adapter
from connectors.http.errors import UNREADABLE, connection_error, hub_label, status_error
from connectors.http.json_fields import overfull, table, text
from connectors.http.retry import LONGEST_SHORT_WAIT, RetryPolicy
from connectors.registry import HUBS, HubName

_MAX_REDIRECTS = 5
# Real answers have up to 100 KB a LoRA, and take three times their length in memory.
MAX_JSON_BYTES = 16 * 1024 * 1024

Params = Mapping[str, Any] | Sequence[tuple[str, str]] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a hub answers, and the key for it among `keys`, which may change. The key is never part of `repr`."""

    hub: HubName
    url: str
    keys: Mapping[HubName, str] = field(default_factory=dict, repr=False)

    @property
    def token(self) -> str | None:
        return self.keys.get(self.hub)


class Session:
    """HTTP to one hub. Every failure leaves here as one of our errors."""

    def __init__(self, endpoint: Endpoint, *, retries: int = 2) -> None:
        self.endpoint = endpoint
        self._origin = urlsplit(endpoint.url)[:2]
        self._retry = RetryPolicy(tries=retries + 1, longest=LONGEST_SHORT_WAIT)
        retry = Retry(total=retries, backoff_factor=0.25, allowed_methods=None, respect_retry_after_header=False)
        self._http = adapter.DirectHttp(adapter.BoundedAdapter(retry, pool_maxsize=16))

    def close(self) -> None:
        self._http.close()

    def auth(self, url: str) -> dict[str, str]:
        """The key's header for `url`; empty for any origin but the hub's own."""
        try:
            is_own = urlsplit(url)[:2] == self._origin
        # A hub may name an address that is none.
        except ValueError:
            is_own = False
        token = self.endpoint.token if is_own else None
        return {"Authorization": f"Bearer {token}"} if token else {}

    def json(self, path: str, params: Params = None, **extra: Any) -> Any:
        """The JSON answer. `path` is below the endpoint, always: no answer of a hub can send us elsewhere."""
        return self.read_json(self.send(path, params, **extra))

    def read_json(self, response: requests.Response) -> Any:
        try:
            if not overfull(response.content):
                return response.json()
        except UNREADABLE as error:
            raise self._bad_answer("answered with something that is not JSON. Try again in a minute.") from error
        raise self._bad_answer("answered with more than a list of LoRAs can hold. Try again in a minute.")

    def send(
        self, path: str, params: Params = None, *, method: str = "GET", what: str = "this", **extra: Any
    ) -> requests.Response:
        """The whole answer, its status checked and its size capped. `what` is asked for, in the words of a refusal."""
        try:
            response = self._follow(method, self.endpoint.url.rstrip("/") + path, params=params, **extra)
            adapter.read_capped(response, MAX_JSON_BYTES)
        except requests.RequestException as error:
            raise connection_error(error, self.endpoint.hub, url=self.endpoint.url) from error
        if not response.ok:
            raise status_error(response, self.endpoint.hub, what=what)
        return response

    def target(self, path: str, params: Params = None) -> str | None:
        """Where the hub redirects a GET of `path`, None if it has the bytes itself. Only a refusal's body is read."""
        try:
            with self._request("GET", self.endpoint.url.rstrip("/") + path, params=params) as response:
                if not response.ok:
                    adapter.read_capped(response, MAX_JSON_BYTES)
                    raise status_error(response, self.endpoint.hub, what="this file")
                location = response.headers.get("Location") if response.is_redirect else None
                return self._join(response.url, location) if location else None
        except requests.RequestException as error:
            raise connection_error(error, self.endpoint.hub, url=self.endpoint.url) from error

    def _follow(self, method: str, url: str, **extra: Any) -> requests.Response:
        """Redirects within the hub's own site are followed. Another site's answer is not this hub's."""
        for _ in range(_MAX_REDIRECTS):
            response = self._request(method, url, **extra)
            location = response.headers.get("Location") if response.is_redirect else None
            if location is None:
                return response
            response.close()
            url = self._join(response.url, location)
            if method not in ("GET", "HEAD") or not adapter.same_site(response.url, url):
                raise self._bad_answer(
                    f"sends this to another address ({url[:200]}). If that is the hub's new one, set it as the hub's "
                    "endpoint."
                )
            extra.pop("params", None)  # the new address has its own
        raise self._bad_answer("sends this request in circles. Try again in a minute.")

    def _request(self, method: str, url: str, **extra: Any) -> requests.Response:
        headers = {"Accept": "application/json", **extra.pop("headers", {}), **self.auth(url)}
        timeout = (adapter.CONNECT_SECONDS, adapter.READ_SECONDS)
        return self._retry.send(
            lambda: self._http.request(method, url, headers=headers, timeout=timeout, stream=True, **extra)
        )

    def _join(self, url: str, location: str) -> str:
        try:
            return urljoin(url, location)
        except ValueError as error:
            raise self._bad_answer("sends this to a place that is no web address. Try again in a minute.") from error

    def read_list(self, value: object, what: str) -> list[Any]:
        """`value`, which the hub gave as a list of so many."""
        if not isinstance(value, list):
            raise self._bad_answer(f"answered without a list of {what}. Try again in a minute.")
        return value

    def _bad_answer(self, what: str) -> BadAnswer:
        return BadAnswer(f"{hub_label(self.endpoint.hub)} {what}", hub=self.endpoint.hub)


class HubClient:
    """What the connectors of all hubs have: a name and a session."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.name = endpoint.hub
        self._web = endpoint.url.rstrip("/")
        self._session = Session(endpoint)


def account_name(endpoint: Endpoint, key: str) -> str:
    """Whose key it is: what its hub says about the account.

    Raises KeyRequired where the hub does not accept the key, our other errors where it can't be asked.
    """
    hub = HUBS[endpoint.hub]
    session = Session(replace(endpoint, keys={endpoint.hub: key}), retries=0)
    try:
        answer = table(session.json(hub.account_path))
    except AccessError as error:
        raise KeyRequired(
            f"{hub.label} does not accept this key. Copy it again, or make another.", hub=hub.name
        ) from error
    finally:
        session.close()
    return text(answer.get("username"), 100) or text(answer.get("name"), 100) or "somebody"
