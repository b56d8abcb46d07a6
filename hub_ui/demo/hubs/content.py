"""What a hub serves as a file: bytes of a known length that can be read from anywhere."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Protocol

CHUNK = 256 * 1024


class Content(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    def read(self, start: int, stop: int) -> bytes: ...


def chunks(content: Content, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    end = content.size if stop is None else stop
    for at in range(start, end, CHUNK):
        yield content.read(at, min(at + CHUNK, end))


def digest(content: Content) -> str:
    sha = hashlib.sha256()
    for chunk in chunks(content):
        sha.update(chunk)
    return sha.hexdigest()


def git_blob_id(data: bytes) -> str:
    """The name git gives a blob, which the Hugging Face Hub shows as `oid` and as a small file's ETag."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, kw_only=True)
class InMemory:
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    path: Path

    @cached_property
    def size(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        return digest(self)

    def read(self, start: int, stop: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Several contents one after the other: a tar is headers, members and padding."""

    parts: tuple[Content, ...]

    @cached_property
    def _bounds(self) -> tuple[int, ...]:
        bounds = [0]
        for part in self.parts:
            bounds.append(bounds[-1] + part.size)
        return tuple(bounds)

    @property
    def size(self) -> int:
        return self._bounds[-1]

    @cached_property
    def sha256(self) -> str:
        return digest(self)

    def read(self, start: int, stop: int) -> bytes:
        return b"".join(
            part.read(max(start, begin) - begin, min(stop, end) - begin)
            for part, (begin, end) in zip(self.parts, pairwise(self._bounds), strict=True)
            if begin < stop and start < end
        )
