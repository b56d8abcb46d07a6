"""A reader of the .safetensors inside a plain tar (ustar, with GNU's and pax's long names).

Other members are skipped.
"""

import tarfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from connectors.errors import NotWeights
from connectors.weights.header import FIRST_READ, RangeReader

_BLOCK = tarfile.BLOCKSIZE
# A trainer's tar has a handful of small members besides the LoRA, or the training images.
_MAX_HEADERS = 1_000
_MAX_STREAMED = 10_000
_MAX_HOPS = 8
_CHUNK = 1024 * 1024
_MAX_LONG_NAME = 64 * 1024
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE, *_PAX)


class TarMember:
    """The first .safetensors of a tar, which begins at byte `start`. `is_alone` checks whether it is the only one."""

    def __init__(self, tar: RangeReader) -> None:
        """Find the member. Raises NotWeights if there is none or the tar is unreadable."""
        self._tar = tar
        weights = next((weights for weights in self._members() if is_weights(weights[0])), None)
        if weights is None:
            raise NotWeights("The archive holds no safetensors file, so no LoRA that could be read.")
        member, self.start = weights
        self.size: int | None = member.size
        if tar.size is not None and self.start + member.size > tar.size:
            raise NotWeights("The archive breaks off in the middle of the LoRA. Get it again.")

    def read(self, start: int, stop: int) -> bytes:
        if start == 0:
            # Bytes that came with the tar's headers are usually enough. A caller that needs more requests the rest.
            ready = self.peek(start, stop)
            if len(ready) > _BLOCK:
                return ready
        return self._tar.read(self.start + start, self.start + min(stop, self.size or 0))

    def peek(self, start: int, stop: int) -> bytes:
        return self._tar.peek(self.start + start, self.start + min(stop, self.size or 0))

    def is_alone(self) -> bool:
        """Return whether no other .safetensors follows, as far as a few small reads show."""
        try:
            others = self._members(self.start + _round_up(self.size or 0))
            return not any(is_weights(member) for member, _ in others)
        except NotWeights:
            return True

    def _members(self, at: int = 0) -> Iterator[tuple[tarfile.TarInfo, int]]:
        """Yield the members, read in pieces that probably contain the LoRA's header too."""
        hops = 0

        def read(at: int, count: int) -> bytes:
            nonlocal hops
            data = self._tar.peek(at, at + count)
            if len(data) < count:
                hops += 1
                if hops > _MAX_HOPS:
                    raise NotWeights("The LoRA lies behind too many other files of the archive. It is not looked for.")
                data = self._tar.read(at, at + max(count, FIRST_READ))[:count]
            return data

        return members(read, at)


def is_tar(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a tar."""
    if head[257:262] != b"ustar":
        return False
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "replace")
    except tarfile.TarError:
        return False
    return True


def is_weights(member: tarfile.TarInfo) -> bool:
    """Return whether a member is a .safetensors. Raises NotWeights for a link, a device or a path outside the folder.

    These are the rules of tarfile's data filter.
    """
    path = PurePosixPath(member.name)
    if path.suffix.lower() != ".safetensors" or path.name.startswith("._"):  # "._": macOS resource forks
        return False
    if not member.isreg() or member.issparse() or path.is_absolute() or ".." in path.parts:
        raise NotWeights("The archive's LoRA is a link or lies outside the archive. It is not taken.")
    return True


def members(
    read: Callable[[int, int], bytes], at: int = 0, most: int = _MAX_HEADERS
) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """Yield each member from `at` on, with the position of its bytes.

    `read` gets a position and a count; positions only increase, and fewer bytes are returned at the end. Python's
    tarfile is not used, because it reads long names and pax headers of any length, and before 3.11.10 it takes minutes
    for a pax header of 200 KB (CVE-2024-6232).
    """
    extended = dict[str, str]()
    for _ in range(most):
        try:
            member = tarfile.TarInfo.frombuf(read(at, _BLOCK), "utf-8", "replace")
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
            return
        except tarfile.TarError as error:
            raise NotWeights("This is not a readable tar archive, or it breaks off.") from error
        if member.size < 0 or member.type == tarfile.GNUTYPE_SPARSE:
            raise NotWeights("The archive has a member whose size can't be right. It is not read further.")
        at += _BLOCK
        if member.type in _LONG:
            if member.size > _MAX_LONG_NAME:
                raise NotWeights("The archive's headers take more room than any real one's. It is not read further.")
            extended |= _read_extended(member, read(at, member.size))
            at += _round_up(member.size)
            continue
        member.name = extended.get("GNU.sparse.name") or extended.get("path") or member.name
        size = extended.get("size", "")
        if size.isascii() and size.isdigit() and len(size) < 19:
            member.size = int(size)
        if any(key.startswith("GNU.sparse.") for key in extended):
            member.sparse = b""  # issparse() checks this
        yield member, at
        extended = {}
        # tarfile does the same: links, folders and devices have no bytes, whatever size they claim.
        if member.isreg() or member.type not in tarfile.SUPPORTED_TYPES:
            at += _round_up(member.size)
    raise NotWeights(f"The archive has more than {most} members. It is not read further.")


def _read_extended(member: tarfile.TarInfo, data: bytes) -> dict[str, str]:
    """Return the fields of an extended header for the next member: its path, its size, or that it is sparse."""
    if member.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.partition(b"\0")[0].decode("utf-8", "replace")}
    fields = dict[str, str]()
    # pax has records `LENGTH KEY=VALUE\n`, and LENGTH counts the whole record.
    while data and member.type in _PAX:
        digits = data.partition(b" ")[0]
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record = data[len(digits) + 1 : length]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or length > len(data):
            raise NotWeights("This is not a readable tar archive: one of its pax headers is broken.")
        fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        data = data[length:]
    return fields


def _round_up(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def only_safetensors(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a plain tar's only .safetensors. Raises NotWeights for none, a second one, or a broken tar."""
    stream = _Chunks(chunks)
    is_found = False
    for member, start in members(stream.read, most=_MAX_STREAMED):
        if not is_weights(member):
            continue
        if is_found:
            raise NotWeights("The archive holds several LoRA files, and nothing says which one is meant.")
        is_found = True
        for at in range(start, start + member.size, _CHUNK):
            count = min(_CHUNK, start + member.size - at)
            data = stream.read(at, count)
            if len(data) < count:
                raise NotWeights("The archive breaks off in the middle of the LoRA. It was not kept; pull it again.")
            yield data
    if not is_found:
        raise NotWeights("The archive holds no safetensors file. It was not kept.")


class _Chunks:
    """A stream of chunks that is read forwards by position."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")
        self._at = 0

    def read(self, at: int, count: int) -> bytes:
        """Return up to `count` bytes from `at` on. `at` must not be before the end of the last read."""
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
