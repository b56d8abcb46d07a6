"""The LoRA inside a tar: only its own bytes where the server has ranges, else taken out while the tar streams by."""

from __future__ import annotations

from connectors.connector import HttpDownload
from connectors.errors import BadAnswer, HubUiError, NotWeights
from connectors.facts.ranges import HttpRanges
from connectors.facts.tar_member import TarMember
from connectors.file_http import file_http
from hub_ui.library.address import Asked, ChangedError
from hub_ui.library.disk import check_space
from hub_ui.library.patience import Attempts
from hub_ui.library.tar import only_safetensors
from hub_ui.library.transfer import Transfer


def run(transfer: Transfer) -> None:
    """Fills the transfer's part with the only .safetensors of the tar."""
    part = transfer.part
    if part.complete:
        return None
    if part.state.inside is None and not _find(transfer):
        return _stream(transfer)
    transfer.address.inside = part.state.inside
    try:
        transfer.run()
    except ChangedError:
        # Another tar than the part began with, or a server that forgot how to send parts of it.
        transfer.address.inside = None
        _stream(transfer)


def _find(transfer: Transfer) -> bool:
    """Writes down where in the tar the LoRA lies; False where that takes more than the server can do."""
    attempts = Attempts(patience=transfer.manner.patience, check=transfer.meter.check)
    while True:
        try:
            member = _member(transfer.download)
        except BadAnswer:
            return False
        except HubUiError as error:
            attempts.failed(error, 0)
        else:
            transfer.restart()
            transfer.part.found_inside(*member)
            return True


def _member(download: HttpDownload) -> tuple[int, int]:
    with file_http() as http:
        source = HttpRanges(
            http, download.url, source=download.source, headers=download.headers, hub=download.ref.hub
        )  # fmt: skip
        member = TarMember(source)
        if not member.alone():
            raise NotWeights("The archive holds several LoRA files, and nothing says which one is meant.")
        return member.at, member.size or 0


def _stream(transfer: Transfer) -> None:
    """From the front, and after a failure from the front again: the bytes of a tar can't be gone on with."""
    attempts = Attempts(patience=transfer.manner.patience, check=transfer.meter.check)
    while True:
        transfer.restart()
        try:
            return _stream_once(transfer)
        except HubUiError as error:
            came = transfer.part.done
            transfer.restart()
            attempts.failed(error, came)


def _stream_once(transfer: Transfer) -> None:
    with file_http(again=False) as http:
        answer = transfer.address.open(http, Asked(whole=True))
        with answer.response, transfer.watch.running(), transfer.watch.over(answer.response):
            transfer.meter.at(0, answer.total)
            check_space(transfer.part.path.parent, answer.total)
            end = transfer.write(only_safetensors(transfer.address.chunks(answer)), 0, None)
        transfer.part.end(end)
