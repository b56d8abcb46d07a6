"""A safetensors header: 8 bytes of little-endian length, then JSON with each tensor's dtype, shape and offsets.

The format: https://github.com/huggingface/safetensors (README, "Format"). The content is untrusted: msgspec parses the
JSON straight into typed tensors, and everything doubtful is parsed again, slowly and strictly.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol

import msgspec

from connectors.claims import read_tables
from connectors.errors import BadHeader, NotWeights
from connectors.http import json_fields

# Headers of real LoRAs have 2 KB to 2 MB; the longest have a thumbnail. Parsing takes about ten times as much memory.
MAX_HEADER_BYTES = 10_000_000
# The most entries of one JSON object. Small entries, such as short lines of metadata, take most memory for their
# length.
_MAX_ENTRIES = 200_000
# Most headers are shorter, so one read usually returns the whole header and the first tensors too.
FIRST_READ = 96 * 1024
# Read beyond the header, because the alpha tensors often come first.
READ_AHEAD = 4 * 1024

_DTYPES = read_tables("dtypes.toml")
DTYPE_BITS: Mapping[str, int] = _DTYPES["bits"]
SCALAR_FORMATS: Mapping[str, str] = _DTYPES["scalars"]
# The pattern for dtypes that are newer than the tables.
_DTYPE = re.compile(r"[A-Z]{1,6}\d{0,3}(?:_[A-Z0-9]{1,12}){0,3}")
# The first bytes of other files, without leading blanks.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"<", "a web page"),
    (b"{", "a JSON text (often an error message)"),
    (b"[", "a JSON text (often an error message)"),
    (b"PK\x03\x04", "a zip or PyTorch pickle file, which can run code when loaded"),
    (b"\x80", "a Python pickle, which can run code when loaded"),
    (b"GGUF", "a GGUF file"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself"),
)


# JSON can escape half of a surrogate pair ("\\ud83d"), which as text can't be stored or shown.
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One entry of a header. `data_offsets` count from the end of the header.

    The defaults for missing keys are invalid, so that the checks reject them.
    """

    dtype: str = ""
    shape: tuple[int, ...] = (-1,)
    data_offsets: tuple[int, int] = (-1, -1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """A parsed header. `size` is the size of the file in bytes, or None if it is unknown.

    `data_start` is the position of the first tensor's bytes, and `extent` is the number of bytes of all tensors.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    data_start: int = 8
    size: int | None = None
    extent: int = 0


class Readable(Protocol):
    """A file that is read in parts: on disk, at a URL, or inside a tar."""

    @property
    def size(self) -> int | None:
        """The size in bytes. It is known after the first read, unless the server never sends it."""
        ...

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`, or fewer at the end of the file."""
        ...


class RangeReader(Readable, Protocol):
    """A Readable that counts the bytes and requests of reading it."""

    @property
    def bytes_read(self) -> int: ...

    @property
    def requests(self) -> int:
        """The number of HTTP requests so far, with redirects and retries."""
        ...

    def peek(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop` that are available without a request. They may be fewer."""
        ...


class FileReader:
    """A file on disk, open for reading."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size: int | None = file.seek(0, 2)
        self.bytes_read = 0
        self.requests = 0

    def read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(max(stop - start, 0))
        self.bytes_read += len(data)
        return data

    peek = read  # reading from disk costs no request


def read_header(source: Readable) -> Header:
    """Return the strictly parsed header. Raises NotWeights or BadHeader."""
    return parse(read_raw(source), source.size)


def read_raw(source: Readable) -> bytes:
    """Return the header's JSON, with one read, or two if it is longer than FIRST_READ."""
    head = source.read(0, FIRST_READ)
    length = header_length(head)
    if len(head) < 8 + length and (source.size is None or len(head) < source.size):
        head += source.read(len(head), 8 + length + READ_AHEAD)
    if len(head) < 8 + length:
        raise BadHeader(f"The file ends after {len(head)} bytes, inside its header of {length}. Download it again.")
    return head[8 : 8 + length]


def header_length(head: bytes) -> int:
    """Return the header's length from the first bytes of a file, at least 9 of them.

    Raises NotWeights for another kind of file, and BadHeader for a header over MAX_HEADER_BYTES.
    """
    length = int.from_bytes(head[:8], "little")
    if len(head) < 9 or head[8:9] != b"{" or length < 2:
        other = "another kind of file" if head else "an empty file"
        kind = next((name for magic, name in _OTHERS if head.lstrip().startswith(magic)), other)
        raise NotWeights(f"This is {kind}, not a safetensors file. Look for a .safetensors version.")
    if length > MAX_HEADER_BYTES:
        raise BadHeader(
            f"The header claims {length} bytes; at most {MAX_HEADER_BYTES} are read, and no LoRA needs as many."
        )
    return length


def tensors_sha256(path: Path) -> str | None:
    """Return the SHA-256 of the bytes after the header, or None if there are none. Raises NotWeights or BadHeader."""
    with path.open("rb") as file:
        start = 8 + header_length(file.read(9))
        if path.stat().st_size <= start:
            return None
        file.seek(start)
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse(raw: bytes, size: int | None = None) -> Header:
    """Return the header from its JSON `raw`. If the file's `size` is given, the tensors must fill it exactly."""
    if json_fields.overfull(raw):
        raise _overfull()
    try:
        tensors, metadata = _parse_fast(raw) or _parse_strict(raw)
    except RecursionError:
        raise BadHeader("The header is nested too deeply to be a safetensors file's.") from None
    end = _data_length(tensors)
    start = 8 + len(raw)
    if size is not None and start + end != size:
        raise BadHeader(
            f"The header describes {start + end} bytes, but the file has {size}. It is cut off or changed; "
            "download it again."
        )
    return Header(tensors=tensors, metadata=metadata, data_start=start, size=size, extent=end)


def _overfull() -> BadHeader:
    return BadHeader("The header holds more entries than any LoRA has. The file is not read.")


_Parsed = tuple[dict[str, Tensor], dict[str, str]]


def _parse_fast(raw: bytes) -> _Parsed | None:
    """Parse a plain header. Return None if a name may be repeated or a value may have another type."""
    try:
        tensors = msgspec.json.decode(raw, type=dict[str, Tensor])
        text = raw.decode("utf-8")
        metadata, start = _leading_metadata(text)
    except (msgspec.MsgspecError, ValueError):
        return None
    tensors.pop("__metadata__", None)
    # A plain entry has four colons. A colon in a name, a fourth key or a repeated key changes the count.
    if text.count(":", start) != 4 * len(tensors) or text.find("\\", start) >= 0:
        return None
    return tensors, metadata


_FIRST = '{"__metadata__":'


def _leading_metadata(text: str) -> tuple[dict[str, str], int]:
    """Return the metadata, if it is first as the safetensors library writes it, and its end."""
    if not text.startswith(_FIRST):
        return {}, 0
    value, end = _DECODER.raw_decode(text, len(_FIRST))
    return _metadata(value), end


def table_of(raw: bytes) -> tuple[Mapping[str, str] | None, bytes]:
    """Return the metadata, and the unparsed JSON after it.

    If the metadata can't be separated, because it is broken or not first, return None and the whole JSON for `parse`.
    """
    if json_fields.overfull(raw):
        return None, raw
    try:
        metadata, end = _leading_metadata(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None, raw
    if end == 0:
        return None if b"__metadata__" in raw else {}, raw
    text = raw.decode("utf-8")[end:].encode()
    return None if b"__metadata__" in text else metadata, text


def _parse_strict(raw: bytes) -> _Parsed:
    """Parse by the specification: every name once and every value with its type. Raises BadHeader."""
    try:
        data = _DECODER.decode(raw.decode("utf-8"))
    except ValueError as error:
        raise BadHeader(f"The header is not JSON ({_short(error)}). The file is damaged; download it again.") from None
    if not isinstance(data, dict):
        raise BadHeader("The header is not a JSON object, as safetensors needs. Download the file again.")
    if _HALF.search(raw):
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadHeader(
                "The header holds half a character, so no program loads it. Look for another copy of the file."
            ) from None
    metadata = _metadata(data.pop("__metadata__", None))
    tensors = dict[str, Tensor]()
    for name, entry in data.items():
        try:
            strict = msgspec.convert(entry, _Strict)
        except (msgspec.ValidationError, UnicodeError) as error:
            raise BadHeader(f"Tensor {_quote(name)} has no valid entry in the header: {_short(error)}.") from None
        tensors[name] = Tensor(dtype=strict.dtype, shape=strict.shape, data_offsets=strict.data_offsets)
    return tensors, metadata


class _Strict(msgspec.Struct, gc=False):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MAX_ENTRIES:
        raise _overfull()
    entries = dict(pairs)
    if len(entries) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, times in counted.items() if times > 1)
        raise BadHeader(f"{_quote(twice)} stands twice in the header, so it can't be known which one is meant.")
    return entries


def _refuse_constant(name: str) -> NoReturn:
    raise BadHeader(f"The header holds {name}, which is no JSON number. The file is damaged; download it again.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_names, parse_constant=_refuse_constant)


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise BadHeader("The header's metadata is not text by text, as safetensors needs. The file can't be loaded.")
    return value


def _data_length(tensors: Mapping[str, Tensor]) -> int:
    """Return the end of the last tensor. Raises BadHeader unless tensors are contiguous and as long as their shapes."""
    kinds: set[tuple[str, tuple[int, ...], int]] = set()
    at = 0
    # Most writers list tensors in the order of their bytes. Then this loop has checked their offsets.
    for tensor in tensors.values():
        start, end = tensor.data_offsets
        if start != at:
            break
        at = end
        kinds.add((tensor.dtype, tensor.shape, end - start))
    else:
        if all(_is_long(*kind) for kind in kinds):
            return at
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda pair: pair[1].data_offsets):
        start, end = tensor.data_offsets
        if start != at or end < start:
            raise BadHeader(
                f"Tensor {_quote(name)} lies at {start} to {end}, where {at} was expected: tensors overlap, leave gaps "
                "or end before they begin. The file is damaged or forged."
            )
        if not _is_long(tensor.dtype, tensor.shape, end - start):
            raise BadHeader(f"Tensor {_quote(name)} has {end - start} bytes, which its shape and dtype don't fit.")
        at = end
    return at


def _is_long(dtype: str, shape: tuple[int, ...], length: int) -> bool:
    """Return whether a tensor has this many bytes. The length is not checked for dtypes newer than the table."""
    if length < 0 or not dtype:
        return False
    count = 1
    for extent in shape:
        if extent < 0:
            raise BadHeader("A tensor has a negative size in its shape. The file is damaged or forged.")
        count *= extent
        if extent >= 2**48 or count >= 2**48:
            raise BadHeader("A tensor claims more elements than any file holds. The file is forged.")
    bits = DTYPE_BITS.get(dtype)
    return _DTYPE.fullmatch(dtype) is not None if bits is None else (count * bits + 7) // 8 == length


def _quote(name: str) -> str:
    """Return an untrusted name for use in a message."""
    return f"“{json_fields.text(name, 80) or ''}”"


def _short(error: Exception) -> str:
    return str(error).split("\n")[0][:120]
