"""Files read in parts: on disk, or behind an address by range requests. Both count what that costs."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import BinaryIO, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from connectors.errors import BadAnswer, HubDown, HubTimeout, HubUiError
from connectors.http.errors import FAILED, refusal, unreachable
from connectors.http.files import RETRIED
from connectors.http.session import CONNECT_SECONDS, READ_SECONDS
from connectors.ref import Origin
from connectors.weights.header import Readable

MOST_REQUESTS = 3
_MAX_REDIRECTS = 8
_PAUSES = (0.1, 0.5)
# For one range in all: a server that sends a byte every few seconds never runs into the limit between two bytes.
_PATIENCE_SECONDS = 60.0
_MAX_ERROR_BYTES = 64 * 1024
_MAX_EXTRA_READ = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NO_SUCH_RANGE = re.compile(r"bytes \*/([0-9]{1,18})")


class Ranges(Readable, Protocol):
    """A Readable that says what reading it has cost so far."""

    @property
    def bytes_read(self) -> int: ...

    @property
    def requests(self) -> int:
        """Every HTTP request there was, redirects and retries too."""
        ...

    def held(self, start: int, stop: int) -> bytes:
        """As much of `start` to `stop`, from `start` on, as can be had without a request."""
        ...


class FileRanges:
    """A file on disk, open for reading."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size: int | None = file.seek(0, 2)
        self.bytes_read = 0
        self.requests = 0

    def read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(max(stop - start, 0))
        self.bytes_read += len(data)
        return data

    held = read  # nothing costs a request


class HttpRanges:
    """A file behind an address. Only ranges are asked for, and what came is kept: nothing is asked for twice.

    The place that redirects led to, which is mostly a signed address, is gone to directly from then on. Should it
    expire, the way there is gone once more.
    """

    def __init__(
        self,
        http: requests.Session,
        url: str,
        *,
        source: str | None = None,
        headers: Mapping[str, str] | None = None,
        hub: Origin | None = None,
        asked: int = 0,
    ) -> None:
        """`http` must follow and retry nothing by itself. `headers` go to the origin of `url` alone.

        `source` is the lasting address where `url` is one that expires, and `asked` what it took to get `url`.
        """
        self.size: int | None = None
        self.bytes_read = 0
        self.requests = asked
        self._http = http
        self._source = source or url
        self._place = url
        self._renewed = False
        self._private = dict(headers or {})
        self._origin = _origin(url)
        self._hub = hub
        self._pieces: list[tuple[int, bytes]] = []

    def read(self, start: int, stop: int) -> bytes:
        if self.size is not None:
            stop = min(stop, self.size)
        data = self.held(start, stop)
        at = start + len(data)
        if at < stop:
            more = self._fetched(at, stop)
            self._keep(at, more)
            data += more
        return data

    def held(self, start: int, stop: int) -> bytes:
        for at, piece in self._pieces:
            if at <= start < at + len(piece):
                return piece[start - at : max(stop - at, 0)]
        return b""

    def _keep(self, start: int, data: bytes) -> None:
        if self._pieces:
            at, last = self._pieces[-1]
            if at + len(last) == start:
                self._pieces[-1] = (at, last + data)
                return
        self._pieces.append((start, data))

    def _fetched(self, start: int, stop: int) -> bytes:
        with self._answered(start, stop) as response:
            if self._is_over(response, start):
                return b""
            self._refuse(response)
            length = self._promised(response, start, stop)
            data = self._body(response, length)
        if len(data) < length:
            raise self._broke_off()
        return data

    def _answered(self, start: int, stop: int) -> requests.Response:
        response = self._followed(start, stop)
        if response.status_code == 403 and self._place != self._source and not self._renewed:
            response.close()
            self._renewed = True
            self._place = self._source
            response = self._followed(start, stop)
        return response

    def _followed(self, start: int, stop: int) -> requests.Response:
        for _ in range(_MAX_REDIRECTS):
            response = self._asked(self._place, start, stop)
            place = response.headers.get("Location") if response.is_redirect else None
            if place is None:
                return response
            response.close()
            self._place = self._joined(place)
        raise self._bad("sends this download in circles. Try again later.")

    def _joined(self, place: str) -> str:
        try:
            return urljoin(self._place, place)
        except ValueError as error:
            raise self._bad("sends this download to an address that is none. Try again later.") from error

    def _asked(self, url: str, start: int, stop: int) -> requests.Response:
        headers = self._private if _origin(url) == self._origin else {}
        asking = {**headers, "Range": f"bytes={start}-{stop - 1}"}
        for pause in _PAUSES:
            response = self._sent(url, asking)
            if response.status_code not in RETRIED:
                return response
            response.close()
            time.sleep(pause)
        return self._sent(url, asking)

    def _sent(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            response = self._http.get(url, headers=headers, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True)
        except FAILED as error:
            raise unreachable(error, self._hub) from error
        self.requests += 1 + _retries(response)
        return response

    def _refuse(self, response: requests.Response) -> None:
        """Raises what the answer's status, or a web page in place of the file, means."""
        if not response.ok:
            # The reason is told in the body; a stranger's may be endless.
            response._content = self._body(response, _MAX_ERROR_BYTES)
        error = refusal(response, self._hub, redirected=not response.ok and self._place != self._source)
        if error is not None:
            raise error
        if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise self._bad("compresses the file on its way, so it can't be read in parts. Download it first.")

    def _promised(self, response: requests.Response, start: int, stop: int) -> int:
        """How many bytes the answer brings, at most as many as were asked for."""
        if response.status_code == 206:
            return self._part(response, start, stop)
        if response.status_code != 200:
            raise self._bad(f"gives an answer that is none to a download ({response.status_code}). Try again later.")
        length = response.headers.get("Content-Length", "")
        if start == 0 and length.isascii() and length.isdigit() and int(length) <= stop:
            self._learn_size(int(length))
            return int(length)
        raise self._bad("sends whole files only, so a header can't be read without the rest. Download the file.")

    def _part(self, response: requests.Response, start: int, stop: int) -> int:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if match is None:
            raise self._bad("answered with a part of the file, but not which. Try again later.")
        first, end = int(match[1]), int(match[2]) + 1
        if match[3] != "*":
            self._learn_size(int(match[3]))
        wanted = stop if self.size is None else min(stop, self.size)
        if first != start or not start < end <= stop or (self.size is not None and end != wanted):
            raise self._bad("answered with another part of the file than asked. Try again later.")
        return end - start

    def _is_over(self, response: requests.Response, start: int) -> bool:
        """Whether the answer says, with the file's size, that nothing lies so far behind."""
        match = _NO_SUCH_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if response.status_code != 416 or match is None or int(match[1]) > start:
            return False
        self._learn_size(int(match[1]))
        return True

    def _learn_size(self, size: int) -> None:
        if self.size not in (None, size):
            raise self._bad("has exchanged the file while it was read. Try again.")
        self.size = size

    def _body(self, response: requests.Response, most: int) -> bytes:
        """Up to `most` bytes as they came, never one more."""
        data, deadline = bytearray(), time.monotonic() + _PATIENCE_SECONDS
        try:
            while len(data) < most and (chunk := response.raw.read1(most - len(data), decode_content=False)):
                data += chunk
                if time.monotonic() > deadline:
                    raise HubTimeout("The answer takes too long to arrive. Try again.", hub=self._hub)
        except ReadTimeoutError as error:
            raise HubTimeout("The answer stopped arriving. Try again.", hub=self._hub) from error
        except (HTTPError, OSError) as error:
            raise self._broke_off() from error
        finally:
            self.bytes_read += len(data)
        return bytes(data)

    def _broke_off(self) -> HubUiError:
        return HubDown("The connection broke off in the middle. Try again.", hub=self._hub)

    def _bad(self, what: str) -> HubUiError:
        return BadAnswer(f"{'The hub' if self._hub else 'The server'} {what}", hub=self._hub)


class Sparing:
    """A file whose header is known, for a few small reads more. What would cost too much, or fails, is b""."""

    def __init__(self, source: Ranges) -> None:
        self._source = source

    @property
    def size(self) -> int | None:
        return self._source.size

    def read(self, start: int, stop: int) -> bytes:
        if stop - start > _MAX_EXTRA_READ:
            return b""
        held = self._source.held(start, stop)
        if len(held) == stop - start:
            return held
        if self._source.requests >= MOST_REQUESTS:
            return b""
        try:
            return self._source.read(start, stop)
        except HubUiError:
            return b""


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port; of an address that can't be read, itself."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return url, None, None
    return parts.scheme, parts.hostname, port


def _retries(response: requests.Response) -> int:
    retries = getattr(response.raw, "retries", None)
    return len(retries.history) if retries is not None else 0
