"""The header of a GGUF file: the names, shapes and types of its tensors, and a check that the file has all of them.

The format: docs/gguf.md of ggml-org/ggml. The content is untrusted: a header that claims more than the file holds is
rejected here, before a library that trusts it reads the file.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.claims import read_tables
from connectors.errors import BadHeader, NotWeights
from connectors.weights.header import MAX_HEADER_BYTES, Header, Readable, Tensor

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = "general.alignment"
_STRING, _ARRAY = 8, 9
# The bytes of a value by the number of its type.
_VALUE_BYTES: Mapping[int, int] = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
# Networks have thousands of tensors and a few values. Language models have long vocabularies and are not supported.
_MOST_TENSORS, _MOST_VALUES, _MOST_ITEMS = 20_000, 10_000, 100_000
# The name, weights per block and bytes per block of a type, by its number.
_TYPES: Mapping[str, tuple[str, int, int]] = read_tables("dtypes.toml")["gguf"]


@dataclass(kw_only=True, slots=True)
class _Cursor:
    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise BadHeader("The GGUF file ends inside its header, or the header is too long. Download it again.")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int = 8) -> int:
        return int.from_bytes(self.take(count), "little")

    def text(self) -> str:
        return self.take(self.number()).decode("utf-8", "replace")


def read_gguf_header(source: Readable) -> Header:
    """Return the header, with shapes in torch's order (outputs first). Raises NotWeights or BadHeader."""
    cursor = _Cursor(data=source.read(0, MAX_HEADER_BYTES))
    if cursor.data[:4] != _MAGIC:
        raise NotWeights("This is no GGUF file, whatever its name says. Download it again.")
    cursor.at = 4
    if cursor.number(4) not in _VERSIONS:
        raise BadHeader("It is of a version of GGUF that is not known here. Look for a newer file.")
    tensors, values = cursor.number(), cursor.number()
    if tensors > _MOST_TENSORS or values > _MOST_VALUES:
        raise BadHeader(f"The header claims {tensors} tensors and {values} values, more than any network has.")
    alignment = 32
    for _ in range(values):
        name, kind = cursor.text(), cursor.number(4)
        if name == _ALIGNMENT and kind == 4:
            alignment = cursor.number(4)
        else:
            _skip_value(cursor, kind)
    entries = [_read_tensor(cursor) for _ in range(tensors)]
    start = math.ceil(cursor.at / max(1, alignment)) * max(1, alignment)
    tensors_by_name = dict(entries)
    # Check the sum as well, because tensors that share their bytes would take many times the file's size in memory.
    extent = sum(stop - begin for begin, stop in (tensor.data_offsets for tensor in tensors_by_name.values()))
    last = max((tensor.data_offsets[1] for tensor in tensors_by_name.values()), default=0)
    if len(tensors_by_name) != tensors or (source.size is not None and start + max(last, extent) > source.size):
        raise BadHeader("The header describes more than the file has. It is cut off or changed; download it again.")
    return Header(tensors=tensors_by_name, data_start=start, size=source.size, extent=last)


def _skip_value(cursor: _Cursor, kind: int) -> None:
    count, items = 1, kind
    if kind == _ARRAY:
        items, count = cursor.number(4), cursor.number()
    if count > _MOST_ITEMS or (items != _STRING and items not in _VALUE_BYTES):
        raise BadHeader("The header holds values that no network has. The file is not read.")
    if items != _STRING:
        cursor.take(count * _VALUE_BYTES[items])
        return
    for _ in range(count):
        cursor.text()


def _read_tensor(cursor: _Cursor) -> tuple[str, Tensor]:
    name, axes = cursor.text(), cursor.number(4)
    if axes > 8:
        raise BadHeader(f"The tensor “{name[:80]}” has {axes} axes. The file is damaged; download it again.")
    shape = tuple(cursor.number() for _ in range(axes))
    number, offset = str(cursor.number(4)), cursor.number()
    if number not in _TYPES:
        raise BadHeader(f"The tensor “{name[:80]}” is of a type that can't be read here ({number}). Take another file.")
    dtype, block, size = _TYPES[number]
    if shape and shape[0] % block:
        raise BadHeader(f"The tensor “{name[:80]}” is no whole number of blocks. Download it again.")
    length = math.prod(shape) // block * size
    return name, Tensor(dtype=dtype, shape=tuple(reversed(shape)), data_offsets=(offset, offset + length))
