"""Read remote files with range requests: follow redirects, renew expired signed URLs, and check the responses.

Servers need not honour Range. RFC 9110, sections 13.1.5 (If-Range) and 14, defines the responses.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from connectors.connector import Download, HttpDownload
from connectors.errors import BadAnswer, HubTimeout, HubUiError, WrongHash
from connectors.http import adapter
from connectors.http.errors import FAILURES, connection_error, download_error, hub_label
from connectors.http.retry import RetryPolicy
from connectors.ref import Origin

Renew = Callable[[], Download]

_CHUNK = 1024 * 1024
_MAX_REDIRECTS = 8
_MAX_ERROR_BYTES = 64 * 1024
# Even a slow connection receives this many bytes per window. A server that sends a byte now and then does not.
_WINDOW_SECONDS = 60.0
_LEAST_BYTES = 16 * 1024
# The limit of renewals in a row without a byte received.
_MOST_RENEWALS = 2
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NO_SUCH_RANGE = re.compile(r"bytes \*/([0-9]{1,18})")
_ONCE = RetryPolicy(tries=1)


class FileChanged(BadAnswer):
    """The file changed since the request before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The bytes from `start` up to `stop`, or to the end if `stop` is None.

    `validator` is an ETag or a date. With it, the server sends the range only if the file is unchanged (If-Range).
    """

    start: int = 0
    stop: int | None = None
    validator: str | None = None

    def headers(self, offset: int) -> dict[str, str]:
        if self.start == 0 and self.stop is None:
            return {}
        last = "" if self.stop is None else str(offset + self.stop - 1)
        condition = {"If-Range": self.validator} if self.validator else {}
        return {"Range": f"bytes={offset + self.start}-{last}", **condition}


@dataclass(frozen=True, kw_only=True, slots=True)
class RangeAnswer:
    """A response with the bytes from `start` up to `stop`, or to an unknown end if `stop` is None.

    `total` is the size of the whole file in bytes. `partial` is False if the server sends the whole file.
    """

    response: requests.Response
    start: int
    stop: int | None
    total: int | None
    validator: str | None = None
    partial: bool = True


class RangedSource:
    """A remote file. It is thread-safe: connections share the URL that a redirect or a renewal has led to.

    `inside` is the offset and size of the file, in bytes, within the tar at the URL. `requests` counts redirects and
    retries too.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        lasting_url: str | None = None,
        hub: Origin | None = None,
        renew: Callable[[], HttpDownload] | None = None,
        retry: RetryPolicy = _ONCE,
    ) -> None:
        """Set the URL and the ways to renew it.

        `headers` are sent to the origin of `url` only. `lasting_url` is a URL that does not expire, for a signed `url`.
        `renew` returns the download with a new signed URL.
        """
        self.inside: tuple[int, int] | None = None
        self.requests = 0
        self.bytes_read = 0
        self._given = url, dict(headers or {})
        self._lasting_url = lasting_url or url
        self._hub = hub
        self._renew = renew
        self._retry = retry
        self._url = url
        self._renewals = 0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, download: HttpDownload, renew: Renew | None = None, *, retry: RetryPolicy = _ONCE) -> Self:
        """Return the source of a download. `renew` returns the same download with a new signed URL.

        The requests raise BadAnswer if the renewed download is another one, and WrongHash if its hash is.
        """

        def renew_same() -> HttpDownload:
            fresh = renew() if renew else download
            if not isinstance(fresh, HttpDownload) or (fresh.ref, fresh.in_tar) != (download.ref, download.in_tar):
                raise BadAnswer("The hub now offers this file in another way. Pull it again.", hub=download.ref.hub)
            if download.sha256 and fresh.sha256 and download.sha256.lower() != fresh.sha256.lower():
                raise WrongHash(
                    "The hub now promises other bytes than when this began. Pull it again.", hub=download.ref.hub
                )
            return fresh

        return cls(
            download.url,
            headers=download.headers,
            lasting_url=download.source,
            hub=download.ref.hub,
            renew=renew_same if renew else None,
            retry=retry,
        )

    def open(self, http: requests.Session, wanted: Range) -> RangeAnswer:
        """Return the response with the bytes. `http` must not follow redirects or retry error statuses.

        Raises FileChanged if the file is not the one of `wanted.validator`, and HubUiError for an error status.
        """
        with ExitStack() as undo:
            response = self._request(http, wanted)
            undo.callback(response.close)
            answer = self._read_headers(response, wanted)
            undo.pop_all()
        return answer

    def chunks(self, answer: RangeAnswer, most: int | None = None) -> Iterator[bytes]:
        """Yield the bytes as they arrive, at most `most` of them.

        Raises HubTimeout if fewer than 16 KiB arrive within a minute.
        """
        window, since, left = 0, time.monotonic(), most
        try:
            while left != 0 and (
                data := answer.response.raw.read1(_CHUNK if left is None else min(left, _CHUNK), decode_content=False)
            ):
                self._renewals = 0
                self.bytes_read += len(data)
                window += len(data)
                left = None if left is None else left - len(data)
                yield data
                if (now := time.monotonic()) - since > _WINDOW_SECONDS:
                    if window < _LEAST_BYTES:
                        raise HubTimeout("Next to nothing arrives any more. Try again.", hub=self._hub)
                    window, since = 0, now
        except ReadTimeoutError as error:
            raise HubTimeout("The answer stopped arriving. Try again.", hub=self._hub) from error
        except (HTTPError, OSError) as error:
            raise connection_error(requests.exceptions.ChunkedEncodingError(), self._hub) from error

    def read(self, answer: RangeAnswer, most: int, *, seconds: float | None = None) -> bytes:
        """Return the first `most` bytes of a response. Raise HubTimeout after `seconds` (default: 60)."""
        data, deadline = bytearray(), time.monotonic() + (seconds or adapter.ANSWER_SECONDS)
        for chunk in self.chunks(answer, most):
            data += chunk
            if time.monotonic() > deadline:
                raise HubTimeout("The answer takes too long to arrive. Try again.", hub=self._hub)
        if answer.stop is not None and len(data) < min(most, answer.stop - answer.start):
            raise connection_error(requests.exceptions.ChunkedEncodingError(), self._hub)
        return bytes(data)

    def fetch(self, http: requests.Session, *, most: int, seconds: float | None = None) -> bytes:
        """Return the content of a small file. Raise BadAnswer if it has more than `most` bytes."""
        answer = self.open(http, Range())
        with answer.response:
            data = self.read(answer, most + 1, seconds=seconds)
        if len(data) > most:
            raise self.bad_answer(f"sends a file that is too large: over {most // (1024 * 1024)} MB. It was not kept.")
        return data

    def bad_answer(self, what: str) -> BadAnswer:
        return BadAnswer(f"{hub_label(self._hub)} {what}", hub=self._hub)

    def _request(self, http: requests.Session, wanted: Range) -> requests.Response:
        while True:
            first_url, (given, _) = self._url, self._given
            response, url = self._follow(http, first_url, wanted)
            signed = url != given or given != self._lasting_url
            if response.status_code in (401, 403) and signed and self._renew_url(first_url):
                response.close()
                continue
            if (error := self._refusal(response, redirected=signed)) is not None:
                response.close()
                raise error
            self._url = url
            return response

    def _renew_url(self, refused: str) -> bool:
        """Replace a signed URL that was refused and may have expired. Return whether there is another to try."""
        with self._lock:
            if self._url != refused:
                return True
            if self._renewals >= _MOST_RENEWALS:
                return False
            self._renewals += 1
            if self._renew is not None:
                fresh = self._renew()
                self._given = fresh.url, dict(fresh.headers)
                self._url = fresh.url
            elif self._url == self._lasting_url and self._renewals > 1:
                return False
            else:
                self._url = self._lasting_url
            return True

    def _follow(self, http: requests.Session, url: str, wanted: Range) -> tuple[requests.Response, str]:
        """Follow redirects. Return the first response that is not a redirect, and its URL."""
        given, private = self._given
        ranged = wanted.headers(self.inside[0] if self.inside else 0)

        def get() -> requests.Response:
            headers = {**(private if _origin(url) == _origin(given) else {}), **ranged}
            response = http.get(
                url, headers=headers, timeout=(adapter.CONNECT_SECONDS, adapter.READ_SECONDS), stream=True
            )
            retries = getattr(response.raw, "retries", None)
            self.requests += 1 + (len(retries.history) if retries is not None else 0)
            return response

        for _ in range(_MAX_REDIRECTS):
            try:
                response = self._retry.send(get)
                location = response.headers.get("Location") if response.is_redirect else None
                if location is None:
                    return response, url
                response.close()
                url = urljoin(url, location)
            except FAILURES as error:
                raise connection_error(error, self._hub) from error
        raise connection_error(requests.TooManyRedirects(), self._hub)

    def _refusal(self, response: requests.Response, *, redirected: bool) -> HubUiError | None:
        if response.status_code == 416:
            return None
        if not response.ok:
            # Read the hub's message, but only a limited part, because an untrusted server may send an endless body.
            response._content = b""
            with suppress(requests.RequestException):
                adapter.read_capped(response, _MAX_ERROR_BYTES - 1)
            self.bytes_read += len(response.content)
        error = download_error(response, self._hub, redirected=redirected)
        if error is None and response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            return self.bad_answer("compresses the file on its way, so its bytes can't be checked. Try again later.")
        return error

    def _read_headers(self, response: requests.Response, wanted: Range) -> RangeAnswer:
        status, content_range = response.status_code, response.headers.get("Content-Range", "").strip()
        etag = response.headers.get("ETag", "")
        # If-Range accepts a strong ETag or the date of the last change.
        validator = etag if etag.startswith('"') else response.headers.get("Last-Modified") or None
        if status == 416:
            # The file ends before `start`: either all bytes have been received, or the file has changed.
            match = _NO_SUCH_RANGE.fullmatch(content_range)
            if match is None or int(match[1]) != wanted.start or self.inside:
                raise self._file_changed(" (416)")
            end = wanted.start
            return RangeAnswer(response=response, start=end, stop=end, total=end, validator=wanted.validator)
        if status == 206:
            start, stop, total = self._read_range(content_range, wanted)
            # Some servers honour Range but ignore If-Range, so compare the validators here as well.
            if wanted.validator and validator and validator != wanted.validator:
                raise self._file_changed()
            return RangeAnswer(response=response, start=start, stop=stop, total=total, validator=validator)
        if status != 200:
            raise self.bad_answer(f"gives an answer that is none to a download ({status}). Try again later.")
        if self.inside is not None:
            raise self._file_changed()
        length = response.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdigit() else None
        return RangeAnswer(response=response, start=0, stop=size, total=size, validator=validator, partial=False)

    def _read_range(self, content_range: str, wanted: Range) -> tuple[int, int, int | None]:
        match = _CONTENT_RANGE.fullmatch(content_range)
        if match is None:
            raise self.bad_answer("answered with a part of the file, but not which. Try again later.")
        offset, size = self.inside or (0, None)
        total = None if match[3] == "*" else int(match[3])
        start, stop = int(match[1]) - offset, int(match[2]) + 1 - offset
        too_far = (wanted.stop is not None and stop > wanted.stop) or (total is not None and stop + offset > total)
        if start != wanted.start or stop <= start or too_far:
            raise self.bad_answer("answered with another part of the file than asked. Try again later.")
        return start, stop, total if size is None else size

    def _file_changed(self, why: str = "") -> FileChanged:
        return FileChanged(f"{hub_label(self._hub)} has exchanged the file{why}. Try again.", hub=self._hub)


class HttpReader:
    """A cached reader of small parts of a remote file. `size` is the file's size in bytes, None until it is known."""

    def __init__(self, http: requests.Session, source: RangedSource) -> None:
        self.size: int | None = None
        self._http = http
        self._source = source
        self._pieces: list[tuple[int, bytes]] = []

    @property
    def bytes_read(self) -> int:
        return self._source.bytes_read

    @property
    def requests(self) -> int:
        return self._source.requests

    def read(self, start: int, stop: int) -> bytes:
        if self.size is not None:
            stop = min(stop, self.size)
        data = self.peek(start, stop)
        missing = start + len(data)
        if missing < stop:
            new = self._fetch(missing, stop)
            offset, last = self._pieces[-1] if self._pieces else (missing, b"")
            if offset + len(last) == missing:
                self._pieces[-1:] = [(offset, last + new)]
            else:
                self._pieces.append((missing, new))
            data += new
        return data

    def peek(self, start: int, stop: int) -> bytes:
        """Return the cached bytes from `start` on, up to `stop`, without a request."""
        for offset, piece in self._pieces:
            if offset <= start < offset + len(piece):
                return piece[start - offset : max(stop - offset, 0)]
        return b""

    def _fetch(self, start: int, stop: int) -> bytes:
        answer = self._source.open(self._http, Range(start=start, stop=stop))
        with answer.response:
            if not answer.partial and (start > 0 or answer.total is None or answer.total > stop):
                raise self._source.bad_answer(
                    "sends whole files only, so a header can't be read without the rest. Download the file."
                )
            if self.size is not None and answer.total not in (None, self.size):
                raise self._source.bad_answer("has exchanged the file while it was read. Try again.")
            self.size = answer.total if answer.total is not None else self.size
            end = answer.stop if answer.stop is not None else stop
            if answer.start != answer.stop and self.size is not None and end != min(stop, self.size):
                raise self._source.bad_answer("answered with another part of the file than asked. Try again later.")
            return self._source.read(answer, end - start)


def fetch_file(url: str, *, only: adapter.Destinations, most: int) -> bytes:
    """Return the content of a small file. No key is sent.

    Raises BadAnswer if it has more than `most` bytes, and HubUiError if `only` forbids its host.
    """
    with adapter.file_http(only=only) as http:
        return RangedSource(url).fetch(http, most=most)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port. Return the URL itself for an invalid URL, so that it equals no other origin."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return url, None, None
    return parts.scheme, parts.hostname, port
