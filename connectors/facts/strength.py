"""Alpha and the effective scale: by what factor a file's change is multiplied at weight 1.

kohya, LyCORIS and OneTrainer store alpha as a scalar tensor for every layer, whose value stands in the file's body. A
layer without one has the scale 1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.facts import training
from connectors.facts.header import Header, Readable, Tensor
from connectors.facts.suffixes import Layers, Part

# struct's letters; BF16 is the upper half of an F32.
_SCALARS: Mapping[str, str] = {
    "F64": "<d", "F32": "<f", "F16": "<e", "I64": "<q", "I32": "<i", "I16": "<h", "I8": "<b", "U8": "<B", "U16": "<H",
    "U32": "<I", "U64": "<Q",
}  # fmt: skip
_RANK_PARTS: tuple[Part, ...] = ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b", "a2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Alpha:
    """A scalar tensor, and the layer whose alpha it is."""

    layer: str
    tensor: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Strength:
    """`source` says where alpha was read; `scale` is None only where alpha exists and can't be known."""

    alpha: float | None = None
    source: str | None = None
    scale: float | None = 1.0
    warnings: tuple[str, ...] = ()


def alpha_of(layers: Layers, rank: int | None) -> Alpha | None:
    """The alpha of the first layer of the common rank: it lies near the front, so it is likely read already."""
    stored = layers.of("alpha")
    if not stored:
        return None
    parts = [layers.of(part) for part in _RANK_PARTS]
    typical = (
        layer for layer in stored if any(layer in tensors and tensors[layer].shape[:1] == (rank,) for tensors in parts)
    )
    layer = next(typical, next(iter(stored)))
    return Alpha(layer=layer, tensor=stored[layer])


def strength_of(header: Header, source: Readable | None, stored: Alpha | None, rank: int | None) -> Strength:
    """Raises what reading from `source` raises."""
    said = training.alpha(header.metadata)
    if stored is None:
        return _from_metadata(said, rank, header)
    value = _scalar(header, stored.tensor, source) if source is not None else None
    if value is not None and value > 0:
        return Strength(alpha=value, source=f"tensor {stored.layer}.alpha"[:200], scale=value / rank if rank else 1.0)
    if rank is None:
        # LoKr with two whole factors: alpha is set so that the scale is 1, and what metadata says is meaningless.
        return Strength(alpha=said[0] if said else None, source=said[1] if said else None)
    if said is not None:
        return Strength(alpha=said[0], source=said[1], scale=said[0] / rank)
    return Strength(scale=None, warnings=("The file's alpha could not be read, so its strength is not known.",))


def _from_metadata(said: tuple[float, str] | None, rank: int | None, header: Header) -> Strength:
    """Without alpha tensors the metadata's alpha counts only as PEFT keeps it: other tools have multiplied it in."""
    if said is None:
        return Strength()
    alpha, where = said
    if rank is None or "lora_adapter_metadata" not in where:
        return Strength(alpha=alpha, source=where)
    root = math.sqrt(rank) if training.is_rank_stabilised(header.metadata) else rank
    return Strength(alpha=alpha, source=where, scale=alpha / root)


def _scalar(header: Header, tensor: Tensor, source: Readable) -> float | None:
    """The value of a tensor with one element; None where it can't be read or is no finite number."""
    start, end = tensor.data_offsets
    if math.prod(tensor.shape) != 1 or not 0 < end - start <= 8:
        return None
    data = source.read(header.data_start + start, header.data_start + end)
    if tensor.dtype == "BF16" and len(data) == 2:
        data, letter = b"\0\0" + data, "<f"
    else:
        letter = _SCALARS.get(tensor.dtype, "")
    if not letter or len(data) != struct.calcsize(letter):
        return None
    value = float(struct.unpack(letter, data)[0])
    return value if math.isfinite(value) else None
