"""An HttpDownload into a file: hashed while it streams, and refused as early as its first bytes allow."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from connectors.connector import HttpDownload
from connectors.errors import WrongHash
from connectors.session import CONNECT_SECONDS, READ_SECONDS, USER_AGENT
from hub_ui.library.answers import refusal, unreachable
from hub_ui.library.disk import Fetched, check_space
from hub_ui.library.progress import Meter
from hub_ui.library.tar import only_safetensors
from hub_ui.library.weights import check_file, check_start

_CHUNK = 1024 * 1024
# CivitAI rounds its sizes to kilobytes for some files: with a hash to decide, a size only has to be near.
_SIZE_TOLERANCE = 1024 * 1024


def fetch(download: HttpDownload, part: Path, meter: Meter) -> Fetched:
    """Writes the file to `part` and checks it. Raises one of our errors; `part` may then hold anything."""
    with _http(download.headers) as http:
        response = _open(http, download)
        with response:
            meter.total = download.size or _announced(response)
            check_space(part.parent, meter.total)
            chunks = _chunks(response, download, meter)
            fetched = _write(only_safetensors(chunks) if download.in_tar else chunks, part, download)
    check_promise(fetched, download.size, download.sha256)
    check_file(part)
    return fetched


def check_promise(fetched: Fetched, size: int | None, sha256: str | None) -> None:
    """Raises WrongHash unless the bytes are the ones promised. A size alone counts only where there is no hash."""
    if sha256 is not None and fetched.sha256 != sha256.lower():
        raise WrongHash(
            f"The bytes that came (sha256 {fetched.sha256[:12]}…) are not the ones promised ({sha256[:12]}…). "
            "Nothing was kept; pull it again, and if it happens twice, don't use this file."
        )
    if sha256 is None and size is not None and fetched.size != size:
        raise WrongHash(f"{fetched.size} bytes came where {size} were promised. Nothing was kept; pull it again.")


class _Http(requests.Session):
    """Sends an address's headers to its own origin and no further."""

    def __init__(self, private: Collection[str]) -> None:
        super().__init__()
        self._private = tuple(private)
        self.auth = _keep_headers

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """requests drops Authorization only, and would then add a login for the new host from ~/.netrc.

        Signed addresses of R2 and B2 refuse a request that carries a second login.
        """
        assert response.request.url is not None
        assert prepared_request.url is not None
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
            for name in (*self._private, "Authorization"):
                prepared_request.headers.pop(name, None)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stands in for a login, so that requests does not look for one in ~/.netrc."""
    return request


@contextmanager
def _http(private: Collection[str]) -> Iterator[requests.Session]:
    retry = Retry(
        total=2,
        backoff_factor=0.25,
        status_forcelist=(500, 502, 503, 504, 524),
        raise_on_status=False,
        # Else urllib3 would sit out a rate limit by itself, in silence.
        respect_retry_after_header=False,
    )
    with _Http(private) as http:
        http.headers["User-Agent"] = USER_AGENT
        # A compressed answer would make Content-Length say nothing about the file.
        http.headers["Accept-Encoding"] = "identity"
        http.max_redirects = 8
        for scheme in ("http://", "https://"):
            http.mount(scheme, HTTPAdapter(max_retries=retry))
        yield http


def _open(http: requests.Session, download: HttpDownload) -> requests.Response:
    """The answer that carries the file. A signed address may have expired in some cache: it is asked for once more."""
    response = _get(http, download)
    if response.status_code == 403 and _elsewhere(response):
        response.close()
        response = _get(http, download)
    try:
        error = refusal(response, download.ref.hub)
    except requests.exceptions.RequestException as broken:
        raise unreachable(broken, download.ref.hub) from broken
    if error is not None:
        response.close()
        raise error
    return response


def _get(http: requests.Session, download: HttpDownload) -> requests.Response:
    try:
        return http.get(
            download.url, headers=dict(download.headers), timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True
        )
    except requests.exceptions.RequestException as error:
        raise unreachable(error, download.ref.hub) from error


def _elsewhere(response: requests.Response) -> bool:
    """Whether a redirect led here: a delivery host, whose refusals say nothing about the person's key."""
    return bool(response.history)


def _announced(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None


def _chunks(response: requests.Response, download: HttpDownload, meter: Meter) -> Iterator[bytes]:
    try:
        for chunk in response.iter_content(_CHUNK):
            meter.add(len(chunk))
            yield chunk
    except requests.exceptions.RequestException as error:
        raise unreachable(error, download.ref.hub) from error


def _write(chunks: Iterator[bytes], part: Path, download: HttpDownload) -> Fetched:
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as file:
        for chunk in _checked_start(chunks):
            size += len(chunk)
            if download.size is not None and size > download.size + _SIZE_TOLERANCE:
                raise WrongHash(f"More bytes come than the {download.size} promised. Nothing was kept.")
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return Fetched(size=size, sha256=digest.hexdigest())


def _checked_start(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, once the first nine have passed for a safetensors file's."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 9:
            break
    check_start(head)
    yield head
    yield from chunks
