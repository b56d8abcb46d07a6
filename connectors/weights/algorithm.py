"""An adapter's algorithm and rank, from the factors of its layers and their shapes; its alpha and effective scale.

kohya, LyCORIS and OneTrainer store alpha as a scalar tensor for every layer, whose value is in the file's body. A layer
without one has the scale 1.
"""

import math
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.weights import training_metadata
from connectors.weights.header import Header, Readable, Tensor
from connectors.weights.key_formats import Layers, Part
from connectors.weights.training_metadata import Metadata

# The factors of each algorithm. A mixed file is named after the most frequent one, of equals after the first.
_SHOWN_BY: tuple[tuple[str, tuple[Part, ...]], ...] = (
    ("glora", ("a1", "a2", "b1", "b2")),
    ("lokr", ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")),
    ("loha", ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")),
    ("oft", ("oft",)),
    ("ia3", ("ia3",)),
    ("lora", ("down", "up")),
)
# The axis of each factor that is the rank. LoKr may factor both of its matrices, one, or none, which has no rank.
_RANK_AXES: tuple[tuple[Part, int], ...] = (
    ("down", 0),
    ("up", 1),
    ("hada_w1_b", 0),
    ("lokr_w2_b", 0),
    ("lokr_w1_b", 0),
    ("a2", 0),
)


# Transformers embed patches by a convolution. A LoRA of that layer alone is no LoCon.
_PATCHES = ("pos_embed", "patch_embed", "x_embedder")
# Convolutions of a U-Net with a kernel above 1, in the names of diffusers and of the original code.
_WINDOWS = ("conv1", "conv2", "conv_in", "conv_out", "_0_conv", ".0.conv", "in_layers_2", "out_layers_3", "_0_op")


def algorithm_of(layers: Layers) -> str:
    """In the words of the catalog: "lora", "lokr+dora", "lora+diff"."""
    counts = {name: sum(len(layers.of(part)) for part in parts) for name, parts in _SHOWN_BY}
    name = max(counts, key=lambda name: counts[name])
    if not counts[name]:
        return "full"
    if name == "oft" and any(len(tensor.shape) == 4 for tensor in layers.of("oft").values()):
        name = "boft"
    elif name == "lora" and _has_convolutions(layers):
        name = "locon"
    if layers.has("magnitude"):
        name = "dora" if name in ("lora", "locon") else f"{name}+dora"
    return f"{name}+diff" if layers.has("diff", "diff_b", "set") else name


def _has_convolutions(layers: Layers) -> bool:
    """Whether kernels above 1 are trained. DyLoRA, whose up factor is flat, is no LoCon; nor is a 1 x 1 projection."""
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
        # An up factor alone doesn't show the kernel, but its name does.
        or any(len(ups[layer].shape) == 4 and layer.endswith(_WINDOWS) for layer in ups.keys() - downs.keys())
    )


def refine_algorithm(algorithm: str | None, norms: bool, metadata: Metadata) -> str | None:
    """Names LyCORIS's LoCon without convolutions, which adds norms, and DyLoRA, which can be cut to a lower rank."""
    name = training_metadata.json_object(metadata, "ss_network_args").get("algo")
    if name == "dylora" and algorithm == "locon":
        return "lora"
    return "locon" if norms and algorithm == "lora" and name == "locon" else algorithm


def ranks_of(layers: Layers) -> Mapping[int, int]:
    """Layers by rank, the most common rank first, and the higher of two that are equally common."""
    counts: Counter[int] = Counter()
    seen: set[str] = set()
    for part, axis in _RANK_AXES:
        tensors = layers.of(part)
        # Layers that another factor has already counted are skipped.
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


# A scalar tensor, and the layer whose alpha it is.
Alpha = tuple[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectiveScale:
    """`source` is where alpha was read; `scale` is None only where alpha exists but can't be read."""

    alpha: float | None = None
    source: str | None = None
    scale: float | None = 1.0
    warnings: tuple[str, ...] = ()


def alpha_of(layers: Layers, rank: int | None) -> Alpha | None:
    """The alpha of the first layer of the common rank: it is near the front, so it has probably been read already."""
    alphas = layers.of("alpha")
    if not alphas:
        return None
    parts = [layers.of(part) for part, axis in _RANK_AXES if axis == 0]
    of_rank = (
        layer for layer in alphas if any(layer in tensors and tensors[layer].shape[:1] == (rank,) for tensors in parts)
    )
    layer = next(of_rank, next(iter(alphas)))
    return layer, alphas[layer]


def strength_of(header: Header, source: Readable | None, stored: Alpha | None, rank: int | None) -> EffectiveScale:
    """Raises what `source.read` raises."""
    alpha, where = training_metadata.alpha(header.metadata) or (None, None)
    if stored is not None:
        layer, tensor = stored
        value = _read_scalar(header, tensor, source) if source is not None else None
        if value is not None and value > 0:
            where = f"tensor {layer}.alpha"[:200]
            return EffectiveScale(alpha=value, source=where, scale=value / rank if rank else 1.0)
        if rank is not None and alpha is None:
            return EffectiveScale(
                scale=None, warnings=("The file's alpha could not be read, so its strength is not known.",)
            )
    scale = 1.0
    # LoKr with two whole factors has no rank: its alpha is set so that the scale is 1, and metadata says nothing of it.
    if alpha is not None and rank is not None:
        if stored is not None:
            scale = alpha / rank
        elif where is not None and "lora_adapter_metadata" in where:
            # Without alpha tensors only PEFT leaves its alpha to be applied: other tools have multiplied it in.
            scale = alpha / (math.sqrt(rank) if training_metadata.is_rank_stabilised(header.metadata) else rank)
    return EffectiveScale(alpha=alpha, source=where, scale=scale)


def _read_scalar(header: Header, tensor: Tensor, source: Readable) -> float | None:
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
