"""An HttpDownload into a file: hashed while it streams, and refused as early as its first bytes allow."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import requests

from connectors.connector import HttpDownload
from connectors.errors import WrongHash
from connectors.file_http import file_http
from connectors.refusals import FAILED, refusal, unreachable
from connectors.session import CONNECT_SECONDS, READ_SECONDS
from hub_ui.library.disk import Fetched, check_space
from hub_ui.library.progress import Meter
from hub_ui.library.tar import only_safetensors
from hub_ui.library.weights import check_file, check_start

_CHUNK = 1024 * 1024
# CivitAI rounds its sizes to kilobytes for some files: with a hash to decide, a size only has to be near.
_SIZE_TOLERANCE = 1024 * 1024


def fetch(download: HttpDownload, part: Path, meter: Meter) -> Fetched:
    """Writes the file to `part` and checks it. Raises one of our errors; `part` may then hold anything."""
    with file_http(download.headers) as http:
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
    except FAILED as error:
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
