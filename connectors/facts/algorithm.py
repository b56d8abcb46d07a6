"""How an adapter stores its change, and its rank: read off which factors its layers have, and their shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from connectors.facts.suffixes import Layers, Part
from connectors.facts.training import Metadata, network_arguments

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
