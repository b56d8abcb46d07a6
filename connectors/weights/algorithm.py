"""How an adapter stores its change, and its rank: read off which factors its layers have, and their shapes."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.weights import training_metadata
from connectors.weights.header import Header, Readable, Tensor
from connectors.weights.key_formats import Layers, Part
from connectors.weights.training_metadata import Metadata, network_arguments

# The factor that shows an algorithm, in the order in which a mixed file is named by it.
_SHOWN_BY: tuple[tuple[str, tuple[Part, ...]], ...] = (
    ("glora", ("a1", "a2", "b1", "b2")),
    ("lokr", ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")),
    ("loha", ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")),
    ("oft", ("oft",)),
    ("ia3", ("ia3",)),
    ("lora", ("down", "up")),
)
# Where the rank stands in a factor's shape. LoKr may factor only one of its two matrices; none has then no rank.
_RANK_AXES: tuple[tuple[Part, int], ...] = (
    ("down", 0),
    ("up", 1),
    ("hada_w1_b", 0),
    ("lokr_w2_b", 0),
    ("lokr_w1_b", 0),
    ("a2", 0),
)


def algorithm_of(layers: Layers) -> str:
    """In the words of the catalog: "lora", "lokr+dora", "lora+diff"."""
    counts = {name: sum(len(layers.of(part)) for part in parts) for name, parts in _SHOWN_BY}
    main = max(counts, key=lambda name: counts[name])
    if not counts[main]:
        return "full"
    named = _refined(main, layers)
    if layers.has("magnitude"):
        named = "dora" if main == "lora" else f"{named}+dora"
    return f"{named}+diff" if layers.has("diff", "diff_b", "set") else named


def _refined(main: str, layers: Layers) -> str:
    if main == "oft":
        return "boft" if any(len(tensor.shape) == 4 for tensor in layers.of("oft").values()) else "oft"
    if main == "lora" and _has_convolutions(layers):
        return "locon"
    return main


# A transformer cuts its picture into patches by a convolution; that alone makes no LoCon.
_PATCHES = ("pos_embed", "patch_embed", "x_embedder")


# Layers of a U-Net that are convolutions with a window, in the names of diffusers and of the original code.
_WINDOWS = ("conv1", "conv2", "conv_in", "conv_out", "_0_conv", ".0.conv", "in_layers_2", "out_layers_3", "_0_op")


def _has_convolutions(layers: Layers) -> bool:
    """Windows above 1. DyLoRA, which keeps the second half flat, is no LoCon; nor is a 1 x 1 projection."""
    downs, ups = layers.of("down"), layers.of("up")
    return (
        layers.has("mid")
        or any(
            len(tensor.shape) == 4
            and tensor.shape[2:] != (1, 1)
            and (layer not in ups or len(ups[layer].shape) == 4)
            and not any(word in layer for word in _PATCHES)
            for layer, tensor in downs.items()
        )
        # The second half alone has no window: there the name says it.
        or any(len(ups[layer].shape) == 4 and layer.endswith(_WINDOWS) for layer in ups.keys() - downs.keys())
    )


def as_trained(algorithm: str | None, norms: bool, metadata: Metadata) -> str | None:
    """LyCORIS trains LoCon without convolutions too, when its preset leaves them out; then it adds norms.

    Its DyLoRA is a LoRA of every layer, trained so that it can be cut to a lower rank.
    """
    trained = network_arguments(metadata).get("algo")
    if trained == "dylora" and algorithm == "locon":
        return "lora"
    return "locon" if norms and algorithm == "lora" and trained == "locon" else algorithm


def ranks_of(layers: Layers) -> Mapping[int, int]:
    """Layers by rank, the most common first; of two as common ones the higher."""
    counts: Counter[int] = Counter()
    seen: set[str] = set()
    for part, axis in _RANK_AXES:
        tensors = layers.of(part)
        # The other half of layers that are counted already says the same again.
        if tensors and not tensors.keys() <= seen:
            new = tensors if not seen else {layer: tensors[layer] for layer in tensors.keys() - seen}
            counts.update(tensor.shape[axis] for tensor in new.values() if len(tensor.shape) > axis)
            seen |= new.keys()
    ordered = sorted(counts.items(), key=lambda item: (item[1], item[0]), reverse=True)
    return {rank: times for rank, times in ordered if 0 < rank < 2**31}


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
class EffectiveScale:
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


def strength_of(header: Header, source: Readable | None, stored: Alpha | None, rank: int | None) -> EffectiveScale:
    """Raises what reading from `source` raises."""
    said = training_metadata.alpha(header.metadata)
    if stored is None:
        return _from_metadata(said, rank, header)
    value = _scalar(header, stored.tensor, source) if source is not None else None
    if value is not None and value > 0:
        return EffectiveScale(
            alpha=value, source=f"tensor {stored.layer}.alpha"[:200], scale=value / rank if rank else 1.0
        )
    if rank is None:
        # LoKr with two whole factors: alpha is set so that the scale is 1, and what metadata says is meaningless.
        return EffectiveScale(alpha=said[0] if said else None, source=said[1] if said else None)
    if said is not None:
        return EffectiveScale(alpha=said[0], source=said[1], scale=said[0] / rank)
    return EffectiveScale(scale=None, warnings=("The file's alpha could not be read, so its strength is not known.",))


def _from_metadata(said: tuple[float, str] | None, rank: int | None, header: Header) -> EffectiveScale:
    """Without alpha tensors the metadata's alpha counts only as PEFT keeps it: other tools have multiplied it in."""
    if said is None:
        return EffectiveScale()
    alpha, where = said
    if rank is None or "lora_adapter_metadata" not in where:
        return EffectiveScale(alpha=alpha, source=where)
    root = math.sqrt(rank) if training_metadata.is_rank_stabilised(header.metadata) else rank
    return EffectiveScale(alpha=alpha, source=where, scale=alpha / root)


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
