"""The one .safetensors inside a tar, as the tar streams by. Nothing is ever written under a member's own name."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.errors import BadAnswer, HubUiError, NotWeights
from connectors.http.adapter import file_http
from connectors.http.ranges import FileChanged, HttpReader, Range, RangedSource
from connectors.http.retry import Attempts, RetryPolicy
from connectors.weights.tar import TarMember, is_weights, members
from hub_ui.library.disk import check_space
from hub_ui.library.download.http import Transfer

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
        self._chunk = memoryview(b"")
        self._at = 0

    def read(self, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at` on, which lies behind all that was read before."""
        while self._at < at and self._next(at - self._at):
            pass
        parts: list[memoryview] = []
        while count > 0 and (part := self._next(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _next(self, most: int) -> memoryview:
        if not self._chunk:
            self._chunk = memoryview(next(self._chunks, b""))
        part, self._chunk = self._chunk[:most], self._chunk[most:]
        self._at += len(part)
        return part


def run(transfer: Transfer) -> None:
    """Fills the transfer's part with the only .safetensors of the tar."""
    part = transfer.part
    if part.complete:
        return None
    if part.state.inside is None and not _find(transfer):
        return _stream(transfer)
    transfer.source.inside = part.state.inside
    try:
        transfer.run()
    except FileChanged:
        # Another tar than the part began with, or a server that forgot how to send parts of it.
        transfer.source.inside = None
        _stream(transfer)


def _find(transfer: Transfer) -> bool:
    """Writes down where in the tar the LoRA lies; False where that takes more than the server can do."""
    attempts = Attempts(transfer.options.retry, transfer.meter.check)
    while True:
        try:
            with file_http() as http:
                source = RangedSource.of(transfer.download, retry=RetryPolicy(tries=3, first=0.1))
                member = TarMember(HttpReader(http, source))
                if not member.is_alone():
                    raise NotWeights("The archive holds several LoRA files, and nothing says which one is meant.")
        except BadAnswer:
            return False
        except HubUiError as error:
            attempts.wait(error, 0)
        else:
            transfer.restart()
            transfer.part.set_inside(member.start, member.size or 0)
            return True


def _stream(transfer: Transfer) -> None:
    """From the front, and after a failure from the front again: the bytes of a tar can't be gone on with."""
    attempts = Attempts(transfer.options.retry, transfer.meter.check)
    while True:
        transfer.restart()
        try:
            with file_http(retry_reads=False) as http:
                answer = transfer.source.open(http, Range(whole=True))
                with answer.response, transfer.watcher.running(), transfer.watcher.watch(answer.response):
                    transfer.meter.at(0, answer.total)
                    check_space(transfer.part.path.parent, answer.total)
                    end = transfer.write(only_safetensors(transfer.source.chunks(answer)), 0, None)
            return transfer.part.end(end)
        except HubUiError as error:
            bytes_done = transfer.part.bytes_done
            transfer.restart()
            attempts.wait(error, bytes_done)
