"""Safetensors files that need no disk: a header and a seed say every byte.

The layout is the one of the safetensors format: 8 bytes of little-endian header length, the JSON header padded with
spaces to a multiple of 8, then the tensors one after the other.
"""

import json
import math
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hub_ui.demo.hubs.content import Content, InMemory, Joined, digest

DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
# Which bits of a random element survive and which are set, so that every float is finite and as small as a weight is.
_FLOAT_BITS = {
    "F8_E4M3": (0x8F, 0x20), "F8_E5M2": (0x87, 0x20), "F16": (0x8FFF, 0x1000), "BF16": (0x81FF, 0x3C00),
    "F32": (0x81FFFFFF, 0x3C000000), "F64": (0x801FFFFFFFFFFFFF, 0x3F80000000000000),
}  # fmt: skip
_SCALAR_FORMATS = {
    "F16": "<e", "F32": "<f", "F64": "<d", "I8": "<b", "U8": "<B", "I16": "<h", "U16": "<H", "I32": "<i", "U32": "<I",
    "I64": "<q", "U64": "<Q", "BOOL": "<?",
}  # fmt: skip
# A multiple of every element size. Tensors repeat it, so a gigabyte streams at the speed of copying memory.
_PATTERN_BYTES = 128 * 1024


@dataclass(frozen=True, kw_only=True)
class Noise:
    """`size` bytes of a repeating pattern: small finite numbers of one dtype."""

    pattern: bytes
    size: int

    @cached_property
    def sha256(self) -> str:
        return digest(self)

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.size)
        first = start - start % len(self.pattern)
        repeats = -(-(stop - first) // len(self.pattern))
        return (self.pattern * max(repeats, 0))[start - first : stop - first]


def generate_safetensors(spec: Mapping[str, Any]) -> Content:
    """A file from `{"tensors": {name: [dtype, shape]}, "metadata": {}, "seed": int, "scalars": {name: number}}`."""
    tensors: Mapping[str, Sequence[Any]] = spec["tensors"]
    scalars: Mapping[str, float] = spec.get("scalars", {})
    seed = int(spec.get("seed", 0))
    patterns = {dtype: _pattern(dtype, seed) for dtype in sorted({str(dtype) for dtype, _ in tensors.values()})}
    header = InMemory(data=_header(tensors, spec.get("metadata") or {}))
    body = tuple(_tensor(dtype, shape, scalars.get(name), patterns[dtype]) for name, (dtype, shape) in tensors.items())
    return Joined(parts=(header, *body))


def _header(tensors: Mapping[str, Sequence[Any]], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, (dtype, shape) in tensors.items():
        end = at + _tensor_bytes(dtype, shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    padded = text + b" " * (-len(text) % 8)
    return struct.pack("<Q", len(padded)) + padded


def _tensor_bytes(dtype: str, shape: Sequence[int]) -> int:
    return DTYPE_BYTES[dtype] * math.prod(shape)


def _tensor(dtype: str, shape: Sequence[int], value: float | None, pattern: bytes) -> Content:
    if value is None:
        return Noise(pattern=pattern, size=_tensor_bytes(dtype, shape))
    return InMemory(data=_number(dtype, value) * math.prod(shape))


def _number(dtype: str, value: float) -> bytes:
    if dtype == "BF16":
        return struct.pack("<f", value)[2:]
    kind = _SCALAR_FORMATS[dtype]
    return struct.pack(kind, value if dtype in {"F16", "F32", "F64"} else int(value))


def _pattern(dtype: str, seed: int) -> bytes:
    noise = random.Random(f"{seed}:{dtype}").randbytes(_PATTERN_BYTES)
    if dtype == "BOOL":
        return bytes(byte & 1 for byte in noise)
    if dtype not in _FLOAT_BITS:
        return noise
    keep, always = _FLOAT_BITS[dtype]
    elements = _PATTERN_BYTES // DTYPE_BYTES[dtype]
    return _every(noise, keep, always, elements, DTYPE_BYTES[dtype])


def _every(noise: bytes, keep: int, always: int, elements: int, width: int) -> bytes:
    """Each element masked, done on the whole pattern as one integer because a Python loop would take a second."""
    whole = int.from_bytes(noise, "little")
    keep_all = int.from_bytes(keep.to_bytes(width, "little") * elements, "little")
    always_all = int.from_bytes(always.to_bytes(width, "little") * elements, "little")
    return ((whole & keep_all) | always_all).to_bytes(len(noise), "little")
