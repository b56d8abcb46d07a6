"""The one .safetensors inside a tar, as the tar streams by. Nothing is ever written under a member's own name."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.connector import HttpDownload
from connectors.errors import BadAnswer, HubUiError, NotWeights
from connectors.http.files import file_http
from connectors.http.ranges import HttpRanges
from connectors.weights.tar import TarMember, is_weights, members
from hub_ui.library.disk import check_space
from hub_ui.library.download.address import Asked, ChangedError
from hub_ui.library.download.http import Transfer
from hub_ui.library.download.retry import Attempts

_CHUNK = 1024 * 1024
_MAX_MEMBERS = 10_000


def only_safetensors(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of the tar's only .safetensors. Raises NotWeights for none, for a second one, and for a broken tar.

    Only plain tars are read: one that is compressed could unpack to any size.
    """
    stream = _Stream(chunks)
    found = False
    for member, start in members(stream, most=_MAX_MEMBERS):
        if not is_weights(member):
            continue
        if found:
            raise NotWeights("The archive holds several LoRA files, and nothing says which one is meant.")
        found = True
        for at in range(start, start + member.size, _CHUNK):
            count = min(_CHUNK, start + member.size - at)
            data = stream.read(at, count)
            if len(data) < count:
                raise NotWeights("The archive breaks off in the middle of the LoRA. It was not kept; pull it again.")
            yield data
    if not found:
        raise NotWeights("The archive holds no safetensors file. It was not kept.")


class _Stream:
    """Chunks read forwards, by their place in the whole."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")
        self._at = 0

    def read(self, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at` on, which lies behind all that was read before."""
        while self._at < at and (skipped := self._next(at - self._at)):
            self._at += len(skipped)
        parts: list[memoryview] = []
        while count > 0 and (part := self._next(count)):
            parts.append(part)
            self._at += len(part)
            count -= len(part)
        return b"".join(parts)

    def _next(self, most: int) -> memoryview:
        if not self._held:
            self._held = memoryview(next(self._chunks, b""))
        part, self._held = self._held[:most], self._held[most:]
        return part


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
