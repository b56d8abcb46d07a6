"""Where a file's bytes are: redirects followed, expired signatures renewed, answers to Range requests checked."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from connectors.connector import Download, HttpDownload
from connectors.errors import BadAnswer, HubDown, HubTimeout, HubUiError, WrongHash
from connectors.http.errors import FAILED, refusal, unreachable
from connectors.http.session import CONNECT_SECONDS, READ_SECONDS

Renew = Callable[[], Download]

_CHUNK = 1024 * 1024
_MAX_REDIRECTS = 8
_MAX_ERROR_BYTES = 64 * 1024
# A slow line brings this much a minute; a server that means to hold us up sends a byte now and then.
_WINDOW_SECONDS = 60.0
_LEAST_BYTES = 16 * 1024
# In a row, without a byte between them.
_MOST_RENEWALS = 2
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NO_SUCH_RANGE = re.compile(r"bytes \*/([0-9]{1,18})")


class ChangedError(Exception):
    """The bytes at the address are not those that the part began with. It starts over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A range; `stop` None is the end. With a `validator` only bytes that still have it are a part of the answer."""

    start: int = 0
    stop: int | None = None
    validator: str | None = None
    whole: bool = False

    def headers(self, shift: int) -> dict[str, str]:
        if self.whole or (self.start == 0 and self.stop is None):
            return {}
        last = "" if self.stop is None else str(shift + self.stop - 1)
        condition = {"If-Range": self.validator} if self.validator else {}
        return {"Range": f"bytes={shift + self.start}-{last}", **condition}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Bytes from `start` on, up to `stop` where that is known. `total` is the file's whole size."""

    response: requests.Response
    start: int
    stop: int | None
    total: int | None
    validator: str | None
    partial: bool


class RangedSource:
    """Several connections may ask at once. What one learns of the way there, the others use.

    `inside` says where the file begins in what lies at the address, and how long it is: a tar.
    """

    def __init__(self, download: HttpDownload, renew: Renew | None = None) -> None:
        self.inside: tuple[int, int] | None = None
        self._download = download
        self._renew = renew
        self._place = download.url
        self._refused = 0
        self._lock = threading.Lock()

    def open(self, http: requests.Session, asked: Asked) -> Answer:
        """The answer that carries the bytes. Raises ChangedError, or what the refusal means."""
        with ExitStack() as undo:
            response = self._answered(http, asked)
            undo.callback(response.close)
            answer = self._read(response, asked)
            undo.pop_all()
        return answer

    def chunks(self, answer: Answer) -> Iterator[bytes]:
        """The bytes as they come. A server that sends next to nothing for a while is one that stopped."""
        raw = answer.response.raw
        since, came = time.monotonic(), 0
        try:
            while data := raw.read1(_CHUNK, decode_content=False):
                self._refused = 0
                came += len(data)
                yield data
                if (now := time.monotonic()) - since > _WINDOW_SECONDS:
                    if came < _LEAST_BYTES:
                        raise HubTimeout(f"Next to nothing arrives any more. {_AGAIN}", hub=self._download.ref.hub)
                    since, came = now, 0
        except ReadTimeoutError as error:
            raise HubTimeout(f"The answer stopped arriving. {_AGAIN}", hub=self._download.ref.hub) from error
        except (HTTPError, OSError) as error:
            raise HubDown(f"The connection broke off in the middle. {_AGAIN}", hub=self._download.ref.hub) from error

    def _answered(self, http: requests.Session, asked: Asked) -> requests.Response:
        while True:
            place, known = self._place, self._download
            response, led_to = self._followed(http, place, asked)
            signed = led_to != known.url or known.source not in (None, known.url)
            if response.status_code not in (401, 403) or not signed or not self._renewed(place):
                error = self._refusal(response, redirected=signed)
                if error is not None:
                    response.close()
                    raise error
                self._place = led_to
                return response
            response.close()

    def _renewed(self, refused: str) -> bool:
        """Whether there is a fresh address to try, now that a signed one was refused: its time may be over."""
        with self._lock:
            if self._place != refused:
                return True
            if self._refused >= _MOST_RENEWALS:
                return False
            self._refused += 1
            if self._renew is not None:
                self._download = self._same(self._renew())
            elif self._place == self._download.url and self._refused > 1:
                return False
            self._place = self._download.url
            return True

    def _same(self, fresh: Download) -> HttpDownload:
        known = self._download
        if not isinstance(fresh, HttpDownload) or (fresh.ref, fresh.in_tar) != (known.ref, known.in_tar):
            raise BadAnswer("The hub now offers this file in another way. Pull it again.", hub=known.ref.hub)
        if known.sha256 and fresh.sha256 and known.sha256.lower() != fresh.sha256.lower():
            raise WrongHash("The hub now promises other bytes than when this began. Pull it again.", hub=known.ref.hub)
        return fresh

    def _followed(self, http: requests.Session, place: str, asked: Asked) -> tuple[requests.Response, str]:
        """The first answer that is no redirect, and where it came from."""
        hub = self._download.ref.hub
        for _ in range(_MAX_REDIRECTS):
            private = self._download.headers if _origin(place) == _origin(self._download.url) else {}
            try:
                headers = {**private, **self._range(asked)}
                response = http.get(place, headers=headers, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True)
                following = response.headers.get("Location") if response.is_redirect else None
                if following is None:
                    return response, place
                response.close()
                place = urljoin(place, following)
            except FAILED as error:
                raise unreachable(error, hub) from error
        raise unreachable(requests.TooManyRedirects(), hub)

    def _range(self, asked: Asked) -> dict[str, str]:
        return asked.headers(self.inside[0] if self.inside else 0)

    def _refusal(self, response: requests.Response, *, redirected: bool) -> HubUiError | None:
        hub = self._download.ref.hub
        if response.status_code == 416:
            return None
        if not response.ok:
            response._content = _beginning(response)
        error = refusal(response, hub, redirected=redirected)
        if error is None and response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            return BadAnswer("The bytes come compressed, so they can't be checked. Try again later.", hub=hub)
        return error

    def _read(self, response: requests.Response, asked: Asked) -> Answer:
        validator = _validator(response)
        if response.status_code == 416:
            return self._over(response, asked)
        if response.status_code == 206:
            start, stop, total = self._part(response, asked)
            # Some servers know ranges and not If-Range: what they say of the bytes has to do.
            if asked.validator and validator and validator != asked.validator:
                raise ChangedError
            return Answer(response=response, start=start, stop=stop, total=total, validator=validator, partial=True)
        if response.status_code != 200:
            raise BadAnswer(
                f"The hub gives an answer that is none to a download ({response.status_code}). Try again later.",
                hub=self._download.ref.hub,
            )
        if self.inside is not None:
            raise ChangedError
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isascii() and length.isdigit() else None
        return Answer(response=response, start=0, stop=total, total=total, validator=validator, partial=False)

    def _over(self, response: requests.Response, asked: Asked) -> Answer:
        """Nothing lies so far behind: either all came before, or the file is another one."""
        match = _NO_SUCH_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if match is None or int(match[1]) != asked.start or asked.start == 0 or self.inside:
            raise ChangedError
        end = asked.start
        return Answer(response=response, start=end, stop=end, total=end, validator=asked.validator, partial=True)

    def _part(self, response: requests.Response, asked: Asked) -> tuple[int, int, int | None]:
        hub = self._download.ref.hub
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if match is None:
            raise BadAnswer("The hub answered with a part of the file, but not which. Try again later.", hub=hub)
        shift, size = self.inside or (0, None)
        first, end = int(match[1]) - shift, int(match[2]) + 1 - shift
        if first != asked.start or end <= first or (asked.stop is not None and end > asked.stop):
            raise BadAnswer("The hub answered with another part of the file than asked. Try again later.", hub=hub)
        return first, end, size if size is not None or match[3] == "*" else int(match[3])


_AGAIN = "What came is kept; pull it again to go on."


def _validator(response: requests.Response) -> str | None:
    """What If-Range may name: a strong ETag, else the date of the last change (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag", "")
    if etag.startswith('"'):
        return etag
    return response.headers.get("Last-Modified") or None


def _beginning(response: requests.Response) -> bytes:
    """Of a refusal only so much is read: a stranger's may be endless."""
    data = b""
    try:
        while len(data) < _MAX_ERROR_BYTES and (more := response.raw.read1(_MAX_ERROR_BYTES, decode_content=True)):
            data += more
    except (HTTPError, OSError):
        pass
    return data


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
