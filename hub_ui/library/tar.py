"""The one .safetensors inside a tar, as the tar streams by. Nothing is ever written under a member's own name."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any

from connectors.errors import NotWeights
from connectors.facts.tar_member import is_weights

_CHUNK = 1024 * 1024
# What member headers may take beside the members' announced bytes. A long-name or pax header claims its own size and is
# read into memory whole, so a hostile one could ask for everything.
_HEADER_BYTES = 16 * 1024 * 1024
_MAX_MEMBERS = 10_000


def only_safetensors(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of the tar's only .safetensors. Raises NotWeights for none, for a second one, and for a broken tar.

    Only plain tars are read: one that is compressed could unpack to any size.
    """
    source: Any = _Source(chunks)  # tarfile only ever calls read in this mode; its type wants more
    found = False
    try:
        # encoding and errors: a member's name in any bytes must not stop the walk.
        with tarfile.open(fileobj=source, mode="r|", encoding="utf-8", errors="replace") as tar:
            for count, member in enumerate(tar):
                source.allow(member.size)
                if count > _MAX_MEMBERS:
                    raise NotWeights(f"The archive has more than {_MAX_MEMBERS} members. It was not kept.")
                if not is_weights(member):
                    continue
                if found:
                    raise NotWeights("The archive holds several LoRA files, and nothing says which one is meant.")
                found = True
                yield from _bytes(tar, member)
    except tarfile.TarError as error:
        raise NotWeights("What came is not a readable tar archive. It was not kept.") from error
    if not found:
        raise NotWeights("The archive holds no safetensors file. It was not kept.")


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    file = tar.extractfile(member)
    assert file is not None  # only for members that are no plain file
    left = member.size
    while left > 0:
        data = file.read(min(_CHUNK, left))
        if not data:
            raise NotWeights("The archive breaks off in the middle of the LoRA. It was not kept; pull it again.")
        left -= len(data)
        yield data


class _Source:
    """Chunks as a file for tarfile's stream mode, with a bound on what it may read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")
        self._allowed = _HEADER_BYTES

    def allow(self, size: int) -> None:
        self._allowed += size + tarfile.BLOCKSIZE * 4

    def read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0 and (self._held or self._more()):
            part = self._held[:count]
            self._held = self._held[len(part) :]
            parts.append(bytes(part))
            count -= len(part)
            self._allowed -= len(part)
        if self._allowed < 0:
            raise NotWeights("The archive's headers take more room than any real one's. It was not kept.")
        return b"".join(parts)

    def _more(self) -> bool:
        self._held = memoryview(next(self._chunks, b""))
        return len(self._held) > 0
