"""The one .safetensors inside a tar, as the tar streams by. Nothing is ever written under a member's own name."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.errors import NotWeights
from connectors.facts.tar_member import is_weights, members

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
