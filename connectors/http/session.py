"""A requests session per hub, with timeouts, retries, and a key that is sent to the hub's origin only."""

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
# Real responses have up to 100 KB per LoRA, and need three times their length in memory.
MAX_JSON_BYTES = 16 * 1024 * 1024

Params = Mapping[str, Any] | Sequence[tuple[str, str]] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """The base URL of a hub's API, and the keys of all hubs.

    `keys` may change while the app runs. It is left out of `repr`, so that no key reaches a log.
    """

    hub: HubName
    url: str
    keys: Mapping[HubName, str] = field(default_factory=dict, repr=False)

    @property
    def token(self) -> str | None:
        return self.keys.get(self.hub)


class Session:
    """HTTP to one hub. Its methods raise only our errors."""

    def __init__(self, endpoint: Endpoint, *, retries: int = 2) -> None:
        self.endpoint = endpoint
        self._origin = urlsplit(endpoint.url)[:2]
        self._retry = RetryPolicy(tries=retries + 1, longest=LONGEST_SHORT_WAIT)
        retry = Retry(total=retries, backoff_factor=0.25, allowed_methods=None, respect_retry_after_header=False)
        self._http = adapter.DirectHttp(adapter.BoundedAdapter(retry, pool_maxsize=16))

    def close(self) -> None:
        self._http.close()

    def auth(self, url: str) -> dict[str, str]:
        """Return the header with the key, or an empty dict if `url` is not on the hub's origin."""
        try:
            is_same_origin = urlsplit(url)[:2] == self._origin
        # A URL in a hub's response may be malformed.
        except ValueError:
            is_same_origin = False
        token = self.endpoint.token if is_same_origin else None
        return {"Authorization": f"Bearer {token}"} if token else {}

    def json(self, path: str, params: Params = None, **extra: Any) -> Any:
        """Return the JSON of a response.

        `path` is always appended to the endpoint, so a path from a hub's response can't select another host.
        """
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
        """Return the response to a request, with at most MAX_JSON_BYTES + 1 bytes of its body.

        Raises HubUiError for an error status. `what` names the requested thing in its message.
        """
        try:
            response = self._follow(method, self.endpoint.url.rstrip("/") + path, params=params, **extra)
            adapter.read_capped(response, MAX_JSON_BYTES)
        except requests.RequestException as error:
            raise connection_error(error, self.endpoint.hub, url=self.endpoint.url) from error
        if not response.ok:
            raise status_error(response, self.endpoint.hub, what=what)
        return response

    def target(self, path: str, params: Params = None) -> str | None:
        """Return the URL to which the hub redirects a GET of `path`, or None if it does not redirect.

        The body is read only for an error status.
        """
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
        """Send a request and follow redirects within the hub's site. Raise BadAnswer for a redirect to another site."""
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
            # The new URL includes its parameters.
            extra.pop("params", None)
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
        """Return `value` if it is a list, or raise BadAnswer. `what` names the items in its message."""
        if not isinstance(value, list):
            raise self._bad_answer(f"answered without a list of {what}. Try again in a minute.")
        return value

    def _bad_answer(self, what: str) -> BadAnswer:
        return BadAnswer(f"{hub_label(self.endpoint.hub)} {what}", hub=self.endpoint.hub)


class HubClient:
    """The base class of the connectors: a name, an endpoint and a session."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.name = endpoint.hub
        self._web = endpoint.url.rstrip("/")
        self._session = Session(endpoint)


def account_name(endpoint: Endpoint, key: str) -> str:
    """Return the name of the account that a key belongs to.

    Raises KeyRequired if the hub rejects the key, and another HubUiError if the request fails.
    """
    hub = HUBS[endpoint.hub]
    session = Session(replace(endpoint, keys={endpoint.hub: key}), retries=0)
    try:
        account = table(session.json(hub.account_path))
    except AccessError as error:
        raise KeyRequired(
            f"{hub.label} does not accept this key. Copy it again, or make another.", hub=hub.name
        ) from error
    finally:
        session.close()
    return text(account.get("username"), 100) or text(account.get("name"), 100) or "somebody"
