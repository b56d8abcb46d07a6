"""The sha256 of what a hub hands out now: the bytes are read as they come, and kept nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from connectors.connector import HttpDownload
from connectors.errors import HubDown, HubUiError
from connectors.file_http import file_http
from hub_ui.library.address import Address, Asked, Renew
from hub_ui.library.patience import Attempts, Patience
from hub_ui.library.progress import Meter
from hub_ui.library.tar import only_safetensors


def sha256_at(download: HttpDownload, renew: Renew, meter: Meter, patience: Patience) -> str:
    """Of the file itself where it lies in a tar. Raises one of our errors when it can't be had whole."""
    address = Address(download, renew)
    attempts = Attempts(patience=patience, check=meter.check)
    while True:
        try:
            return _once(download, address, meter)
        except HubUiError as error:
            attempts.failed(error, 0)


def _once(download: HttpDownload, address: Address, meter: Meter) -> str:
    digest = hashlib.sha256()
    with file_http(again=False) as http:
        answer = address.open(http, Asked(whole=True))
        with answer.response:
            meter.at(0, answer.total)
            came = _whole(address.chunks(answer), answer.total, download, meter)
            for chunk in only_safetensors(came) if download.in_tar else came:
                digest.update(chunk)
            # What lies behind the LoRA in a tar: a connection that breaks there has brought another tar.
            for _ in came:
                pass
    return digest.hexdigest()


def _whole(chunks: Iterator[bytes], total: int | None, download: HttpDownload, meter: Meter) -> Iterator[bytes]:
    came = 0
    for chunk in chunks:
        came += len(chunk)
        meter.add(len(chunk))
        yield chunk
    if total is not None and came != total:
        raise HubDown("The connection broke off in the middle. Try again.", hub=download.ref.hub)
