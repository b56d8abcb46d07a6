"""Safetensors files without weights: the header as safetensors' own writer lays it out, then nothing to full size."""

import json
import struct
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from connectors.weights.header import DTYPE_BITS

Shapes = Mapping[str, tuple[str, tuple[int, ...]]]
# As safetensors sorts tensors: by type, the widest first, and by name within one.
_FIRST = ("U64", "I64", "F64", "C64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16")
_ORDER = (*_FIRST, *(dtype for dtype in DTYPE_BITS if dtype not in _FIRST))
# A number as it is stored; alphas are the only values that anyone reads.
_NUMBERS: Mapping[str, Callable[[float], bytes]] = {
    "F32": lambda value: struct.pack("<f", value),
    "F16": lambda value: struct.pack("<e", value),
    "BF16": lambda value: struct.pack("<f", value)[2:],
    "F64": lambda value: struct.pack("<d", value),
    "I64": lambda value: struct.pack("<q", round(value)),
}


def document(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The header's JSON."""
    found: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, (dtype, shape) in sorted(shapes.items(), key=lambda item: (_ORDER.index(item[1][0]), item[0])):
        end = at + length(dtype, shape)
        found[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    return found


def length(dtype: str, shape: tuple[int, ...] | list[int]) -> int:
    return (prod(shape) * DTYPE_BITS[dtype] + 7) // 8


def head(header: Mapping[str, Any]) -> bytes:
    """Length and JSON, filled with spaces so that the tensors begin at a multiple of eight."""
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write(
    path: Path, shapes: Shapes, metadata: Mapping[str, str] | None = None, numbers: Mapping[str, float] | None = None
) -> None:
    """As long as the real file, though it takes no more of the disk than its header. `numbers` are alphas by name."""
    header = document(shapes, metadata)
    start = head(header)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(
            len(start) + max((e["data_offsets"][1] for n, e in header.items() if n != "__metadata__"), default=0)
        )
        for name, value in (numbers or {}).items():
            file.seek(len(start) + header[name]["data_offsets"][0])
            file.write(_NUMBERS[header[name]["dtype"]](value))
