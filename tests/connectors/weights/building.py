"""Headers of LoRA files, written by hand in the few words in which they differ."""

import json
import re
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from connectors.weights.header import DTYPE_BITS, Header, Tensor
from tests.corpus import rows_of

Shapes = Mapping[str, tuple[int, ...]]

# What a trainer's names begin with, what stands between their words, the endings of both halves, and if alpha is kept.
STYLES = {row["style"]: row for row in rows_of(Path(__file__).with_name("styles.tsv"))}


def tensors(shapes: Shapes, dtype: str = "F16") -> dict[str, Tensor]:
    """One after the other, in the order given."""
    found: dict[str, Tensor] = {}
    at = 0
    for name, shape in shapes.items():
        end = at + (prod(shape) * DTYPE_BITS[dtype] + 7) // 8
        found[name] = Tensor(dtype=dtype, shape=shape, data_offsets=(at, end))
        at = end
    return found


def lora(layers: str, rank: int = 16, style: str = "kohya") -> dict[str, tuple[int, ...]]:
    """`layers` are "name in>out" or, for a convolution, "name in>out:kernel", joined by commas; 0..3 is four blocks."""
    prefix, between, down, up, alpha = list(STYLES[style].values())[1:]
    shapes: dict[str, tuple[int, ...]] = {}
    for name, width, out, kernel in _layers(layers):
        layer = prefix + name.replace(".", between)
        square, flat = ((kernel, kernel), (1, 1)) if kernel else ((), ())
        shapes[f"{layer}.{down}"] = (rank, width, *square)
        shapes[f"{layer}.{up}"] = (out, rank, *flat)
        if alpha:
            shapes[f"{layer}.alpha"] = ()
    return shapes


def _layers(written: str) -> Iterator[tuple[str, int, int, int]]:
    for layer in written.split(","):
        name, sizes = layer.split()
        widths, _, kernel = sizes.partition(":")
        width, out = widths.split(">")
        blocks = re.search(r"(\d+)\.\.(\d+)", name)
        for number in range(int(blocks[1]), int(blocks[2]) + 1) if blocks else (0,):
            yield re.sub(r"\d+\.\.\d+", str(number), name), int(width), int(out), int(kernel or 0)


def header(shapes: Shapes, metadata: Mapping[str, str] | None = None, **fields: Any) -> Header:
    return Header(tensors=tensors(shapes), metadata=metadata or {}, **fields)


def raw_header(shapes: Shapes, metadata: Mapping[str, str] | None = None, dtype: str = "F16") -> bytes:
    """The JSON as the safetensors library writes it: metadata first, no spaces."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata is not None else {}
    for name, tensor in tensors(shapes, dtype).items():
        entries[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": list(tensor.data_offsets)}
    return json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()


def file_of(raw: bytes, body: int | bytes = 0) -> bytes:
    """A file whose header is `raw`; `body` are its tensors' bytes, or how many zeros."""
    return len(raw).to_bytes(8, "little") + raw + (bytes(body) if isinstance(body, int) else body)
