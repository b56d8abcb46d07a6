"""One requests session a hub: user agent, timeouts, retries, and a key that never leaves its host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from connectors.errors import (
    BadAnswer,
    HubDown,
    HubTimeout,
    HubUiError,
    KeyRequired,
    NotFound,
    RateLimited,
    RegionBlocked,
)
from connectors.http.adapter import BoundedAdapter, DirectHttp, read_capped, same_site
from connectors.http.json_fields import count, overfull
from connectors.registry import HUBS, HubName

# A plain name of our own: a browser-like one turns CivitAI's JSON errors into login pages.
USER_AGENT = "hub-ui/0.1"
CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
_RETRIED = (500, 502, 503, 504, 524)
_BACKOFF_SECONDS = 0.5
_MAX_REDIRECTS = 5
_MINUTES_FROM = 120.0
_ELSEWHERE = "Look for the same LoRA on another hub."
# Real answers have up to 100 KB a LoRA, and take three times their length in memory.
MAX_JSON_BYTES = 16 * 1024 * 1024
# What `response.json()` raises for an answer that is no JSON, or JSON made to break readers: a number of thousands of
# digits, or thousands of brackets.
UNREADABLE = (ValueError, RecursionError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a hub answers, and the key for it. The key is never part of `repr`."""

    hub: HubName
    label: str
    url: str
    token: str | None = field(default=None, repr=False)


Params = Mapping[str, Any] | Sequence[tuple[str, str]] | None
Explain = Callable[[requests.Response], HubUiError | None]


class Session:
    """HTTP to one hub. Every failure leaves here as one of our errors."""

    def __init__(self, endpoint: Endpoint, *, retries: int = 2, explain: Explain | None = None) -> None:
        """`explain` reads the hub's own refusals first; it gives None for what the status says well enough."""
        self.endpoint = endpoint
        self._explain = explain
        self._origin = urlsplit(endpoint.url)[:2]
        self._retries = retries
        self._http = DirectHttp()
        self._http.headers["User-Agent"] = USER_AGENT
        retry = Retry(total=retries, backoff_factor=0.25, allowed_methods=None, respect_retry_after_header=False)
        adapter = BoundedAdapter(retry, pool_maxsize=16)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)

    def close(self) -> None:
        self._http.close()

    def auth(self, url: str) -> dict[str, str]:
        """The key's header for `url`; empty for any origin but the hub's own."""
        if self.endpoint.token and urlsplit(url)[:2] == self._origin:
            return {"Authorization": f"Bearer {self.endpoint.token}"}
        return {}

    def json(self, path: str, params: Params = None, *, method: str = "GET", **extra: Any) -> Any:
        """The JSON answer. `path` is below the endpoint, always: no answer of a hub can send us elsewhere."""
        response = self.send(path, params, method=method, **extra)
        if overfull(response.content):
            raise BadAnswer(
                f"{self.endpoint.label} answered with more than a list of LoRAs can hold. Try again in a minute.",
                hub=self.endpoint.hub,
                url=response.url,
            )
        try:
            return response.json()
        except UNREADABLE as error:
            raise BadAnswer(
                f"{self.endpoint.label} answered with something that is not JSON. Try again in a minute.",
                hub=self.endpoint.hub,
                url=response.url,
            ) from error

    def send(self, path: str, params: Params = None, *, method: str = "GET", **extra: Any) -> requests.Response:
        """The whole answer, its status checked and its size capped."""
        url = self.endpoint.url.rstrip("/") + path
        try:
            response = self._followed(method, url, params=params, **extra)
            read_capped(response, MAX_JSON_BYTES)
        except requests.exceptions.RequestException as error:
            raise self._unreachable(error, url) from error
        if not response.ok:
            raise self._refused(response)
        return response

    def target(self, path: str, params: Params = None) -> str | None:
        """Where the hub redirects a GET of `path`, without following; None if it has the bytes itself.

        Of an answer that is no refusal no body is read: it may be gigabytes.
        """
        url = self.endpoint.url.rstrip("/") + path
        try:
            with self._request("GET", url, params=params) as response:
                if not response.ok:
                    read_capped(response, MAX_JSON_BYTES)
                    raise self._refused(response)
                place = response.headers.get("Location")
                return self._joined(response.url, place) if response.is_redirect and place else None
        except requests.exceptions.RequestException as error:
            raise self._unreachable(error, url) from error

    def _followed(self, method: str, url: str, **extra: Any) -> requests.Response:
        """Redirects within the hub's own site are followed. Another site's answer is not this hub's."""
        for _ in range(_MAX_REDIRECTS):
            response = self._request(method, url, **extra)
            place = response.headers.get("Location") if response.is_redirect else None
            if place is None:
                return response
            response.close()
            following = self._joined(response.url, place)
            if method not in ("GET", "HEAD") or not same_site(response.url, following):
                raise self._bad(
                    f"sends this to another address ({following[:200]}). If that is the hub's new one, set it as "
                    "the hub's endpoint."
                )
            url = following
            extra.pop("params", None)  # the new address has its own
        raise self._bad("sends this request in circles. Try again in a minute.")

    def _request(self, method: str, url: str, **extra: Any) -> requests.Response:
        """The first answer that is worth reading: faults of the hub are tried again, and their bodies left unread."""
        headers = {"Accept": "application/json", **extra.pop("headers", {}), **self.auth(url)}
        for attempt in range(self._retries + 1):
            response = self._http.request(
                method, url, headers=headers, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True, **extra
            )
            if response.status_code not in _RETRIED:
                break
            if attempt < self._retries:
                response.close()
                time.sleep(_BACKOFF_SECONDS * attempt)
        return response

    def _joined(self, url: str, place: str) -> str:
        try:
            return urljoin(url, place)
        except ValueError as error:
            raise self._bad("sends this to a place that is no web address. Try again in a minute.") from error

    def _bad(self, what: str) -> BadAnswer:
        return BadAnswer(f"{self.endpoint.label} {what}", hub=self.endpoint.hub)

    def _unreachable(self, error: requests.exceptions.RequestException, url: str) -> HubUiError:
        hub, label = self.endpoint.hub, self.endpoint.label
        if _timed_out(error):
            return HubTimeout(f"{label} did not answer in time. Try again.", hub=hub, url=url)
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
            return HubDown(f"{label}'s address is not a web address: {self.endpoint.url}", hub=hub, url=url)
        return HubDown(f"{label} can't be reached. Check the connection and try again.", hub=hub, url=url)

    def _refused(self, response: requests.Response) -> HubUiError:
        hub, label = self.endpoint.hub, self.endpoint.label
        explained = self._explain(response) if self._explain else None
        if explained is not None:
            return explained
        said = error_text(response)
        status = response.status_code
        if status in (401, 403):
            return KeyRequired(
                f"{label} wants a key for this. {HUBS[hub].add_key}, or check the one you gave. {said}".strip(),
                hub=hub,
            )
        if status in (404, 410):
            return NotFound(f"{label} does not have this (any more). {said}".strip(), hub=hub, url=response.url)
        if status == 429:
            return RateLimited(
                f"{label} asks to slow down. Try again {when_again(retry_after(response))}.",
                hub=hub,
                retry_after=retry_after(response),
            )
        if status == 451:
            return RegionBlocked(f"{label} does not serve your region. {_ELSEWHERE} {said}".strip(), hub=hub)
        if status >= 500:
            return HubDown(f"{label} has a fault of its own ({status}). Try again in a minute.", hub=hub)
        return BadAnswer(f"{label} refused the request ({status}). {said}".strip(), hub=hub, url=response.url)


def _timed_out(error: requests.exceptions.RequestException) -> bool:
    """After retries, and while a body is read, requests wraps a timeout in a ConnectionError."""
    if isinstance(error, requests.exceptions.Timeout):
        return True
    return any(isinstance(getattr(arg, "reason", arg), ReadTimeoutError) for arg in error.args)


def error_text(response: requests.Response) -> str:
    """What a hub's error body says, in the four shapes CivitAI uses, Replicate's problem+json, HF's `error`."""
    try:
        body = None if overfull(response.content) else response.json()
    except UNREADABLE:
        return ""
    if not isinstance(body, dict):
        return ""
    for key in ("message", "detail", "error", "title"):
        if isinstance(body.get(key), str):
            return str(body[key])[:300]
    return ""


class Answered(Protocol):
    """An answer of any HTTP library."""

    @property
    def headers(self) -> Mapping[str, str]: ...


def retry_after(response: Answered) -> float | None:
    """Seconds to wait: Retry-After (RFC 9110: seconds or a date), Hugging Face's RateLimit, Replicate's reset."""
    header = response.headers.get("Retry-After", "")
    if (seconds := count(header)) is not None:
        return float(seconds)
    if header:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None
    for part in response.headers.get("RateLimit", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == "t" and (seconds := count(value)) is not None:
            return float(seconds)
    reset = count(response.headers.get("ratelimit-reset"))
    return float(reset) if reset is not None else None


def when_again(seconds: float | None) -> str:
    """The end of "Try again ..."."""
    if seconds is None:
        return "in a few minutes"
    if seconds >= _MINUTES_FROM:
        return f"in {round(seconds / 60)} minutes"
    return "in a second" if round(seconds) <= 1 else f"in {round(seconds)} seconds"
