"""The facts that tensors prove without metadata: the type of a file, and the structure of a LoRA (algorithm and ranks).

`Layouts` caches the structure by the hash of the tensor table, which is the same for all files of one trainer and base.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from connectors.claims import read_tables, read_wording
from connectors.weights.architectures import Rule, rule_for, size_of
from connectors.weights.header import Header, Tensor, parse, table_of
from connectors.weights.key_formats import LayerNames, Layers, LayerShapes, Part, format_of, name, sort, unpack_shapes

What = Literal[
    "lora", "llm-lora", "vision-lora", "checkpoint", "diffusion-model", "vae", "text-encoder", "llm", "embedding",
    "controlnet", "t2i-adapter", "ip-adapter", "motion-module", "empty", "other",
]  # fmt: skip

_TABLES = read_tables("tensor_names.toml")
WORDS: Mapping[What, str] = _TABLES["file_type"]["called"]
_PATTERNS = read_wording("file_type", "tensor_names.toml").patterns
# Types that may be stored as LoRA layers.
_ADAPTER_TYPES: tuple[What, ...] = ("ip-adapter", "motion-module", "controlnet")
_ADAPTER_NAMES = read_wording("file_type", "tensor_names.toml").words["despite_names"]

_Tensors = Mapping[str, Tensor]


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"has_all": "all", "has_none": "none"}):
    """A row of the table in tensor_names.toml, which explains the conditions."""

    what: What
    has_all: tuple[str, ...] = ()
    has_none: tuple[str, ...] = ()
    most: int | None = None
    vectors: frozenset[int] = frozenset()
    axes: int = 0

    def holds(self, tensors: _Tensors) -> bool:
        if self.most is not None and len(tensors) > self.most:
            return False
        # Each name is between line ends, so that a pattern can match the start of a name.
        names = "\n".join(("", *(name for name, tensor in tensors.items() if len(tensor.shape) >= self.axes), ""))
        return (
            all(_PATTERNS[name].search(names) for name in self.has_all)
            and not any(_PATTERNS[name].search(names) for name in self.has_none)
            and (not self.vectors or all(_is_vector(tensor.shape, self.vectors) for tensor in tensors.values()))
        )


def _is_vector(shape: Sequence[int], widths: Container[int]) -> bool:
    """Return whether a shape is a vector of one of the `widths`, or has several vectors as rows."""
    return len(shape) in (1, 2) and shape[-1] in widths


_RULES = msgspec.convert(_TABLES["file_type"]["rules"], tuple[_Rule, ...])


def file_type_of(tensors: _Tensors) -> What:
    """Return the type of a file without LoRA layers, or with a few of them among other tensors."""
    return next(rule.what for rule in _RULES if rule.holds(tensors))


def adapter_type_of(tensors: _Tensors, named: LayerNames) -> What | None:
    """Return the type of a ControlNet, IP-Adapter or motion module that is stored as LoRA layers, otherwise None."""
    names = "\n".join(named.model)
    if not any(word in names for word in _ADAPTER_NAMES) and "lora_controlnet" not in tensors:
        return None
    what = file_type_of(tensors)
    return what if what in _ADAPTER_TYPES else None


def language_model_type_of(named: LayerNames) -> What | None:
    """Return "llm-lora" or "vision-lora" if most layers belong to such a model, otherwise None."""
    names = tuple(named.model)
    if not names or any(prefix.format not in ("", "peft", "diffusers") for prefix in named.prefixes):
        return None
    if _most(names, _PATTERNS["vision"]):
        return "vision-lora"
    is_language = any(map(_PATTERNS["language_alone"].search, names)) or _most(names, _PATTERNS["language"])
    return "llm-lora" if is_language else None


def _most(names: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return sum(pattern.search(name) is not None for name in names) * 2 > len(names)


# A layer and the scalar tensor of its alpha.
Alpha = tuple[str, Tensor]
# A few hundred bytes each.
_MOST_LAYOUTS = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """The structure of a file. `architectures` are all that the layers fit.

    `usual` is the architecture to assume if the metadata names none of them. If `architectures` is empty, `usual` is a
    network whose layers also fit a network that doesn't generate images. `size` is the base model with the width of the
    layers. `norms`: norm layers are trained too, which only LyCORIS does. `halves` counts layers with only one of two
    factors, `others` counts tensors outside of layers.
    """

    what: What
    tensors: int
    architectures: tuple[str, ...] = ()
    usual: str | None = None
    size: str | None = None
    format: str | None = None
    algorithm: str | None = None
    norms: bool = False
    ranks: Mapping[int, int] = field(default_factory=dict)
    alpha: Alpha | None = None
    text_encoder: bool = False
    control: bool = False
    halves: int = 0
    others: int = 0


# Every layer has one of these parts in all algorithms.
_LAYER_PARTS: tuple[Part, ...] = (
    "down", "up", "hada_w1_b", "hada_w1_a", "lokr_w1", "lokr_w1_b", "lokr_w2", "lokr_w2_b", "oft", "ia3", "a2", "diff",
    "diff_b", "set", "alpha",
)  # fmt: skip


def structure_of(tensors: Mapping[str, Tensor]) -> Structure:
    layers = unpack_shapes(sort(tensors))
    names: dict[str, Tensor] = {}
    for part in _LAYER_PARTS:
        if not layers.of(part).keys() <= names.keys():
            names.update(layers.of(part))
    named = name(tuple(names))
    shapes = LayerShapes(named, layers)
    rule = rule_for(shapes)
    what = _what(tensors, layers, named, rule)
    if what != "lora":
        return Structure(what=what, tensors=len(tensors))
    ranks = ranks_of(layers)
    architectures = rule.architectures if rule and rule.is_proof else ()
    return Structure(
        what="lora",
        tensors=len(tensors),
        architectures=architectures,
        usual=rule.usual if rule else None,
        size=size_of(architectures[0], shapes) if len(architectures) == 1 else None,
        format=format_of(named, layers),
        algorithm=algorithm_of(layers),
        norms=layers.has("w_norm", "b_norm"),
        ranks=ranks,
        alpha=alpha_of(layers, next(iter(ranks), None)),
        text_encoder=bool(named.encoders),
        # A control LoRA of FLUX widens the image input from 64 to 128 channels, to add the control image.
        control="flux1" in architectures and 128 in shapes.widths(last="img_in,x_embedder"),
        halves=0 if layers.has("expert") else len(layers.of("down").keys() ^ layers.of("up").keys()),
        others=len(layers.others),
    )


_SHOWN_BY: Mapping[str, list[Part]] = _TABLES["algorithms"]["factors"]
_RANK_AXES: Mapping[Part, int] = _TABLES["algorithms"]["rank_axes"]
# Transformers embed patches by a convolution. A LoRA of only this layer is not a LoCon.
_PATCHES = ("pos_embed", "patch_embed", "x_embedder")
# U-Net convolutions with a kernel above 1, in the names of diffusers and of the original code.
_WINDOWS = ("conv1", "conv2", "conv_in", "conv_out", "_0_conv", ".0.conv", "in_layers_2", "out_layers_3", "_0_op")


def algorithm_of(layers: Layers) -> str:
    """Return the algorithm in the words of the catalog: "lora", "lokr+dora", "lora+diff"."""
    counts = {name: sum(len(layers.of(part)) for part in parts) for name, parts in _SHOWN_BY.items()}
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
    """Return whether kernels above 1 are trained. DyLoRA, with flat up factors, and 1 x 1 projections don't count."""
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
        # An up factor alone doesn't show its kernel, but the layer's name does.
        or any(len(ups[layer].shape) == 4 and layer.endswith(_WINDOWS) for layer in ups.keys() - downs.keys())
    )


def ranks_of(layers: Layers) -> Mapping[int, int]:
    """Return the number of layers by rank, the most common rank first.

    Of two equally common ranks, the higher one is first.
    """
    counts: Counter[int] = Counter()
    counted: set[str] = set()
    for part, axis in _RANK_AXES.items():
        tensors = layers.of(part)
        # Skip layers that were counted by another factor.
        if tensors and not tensors.keys() <= counted:
            new = tensors if not counted else {layer: tensors[layer] for layer in tensors.keys() - counted}
            counts.update(tensor.shape[axis] for tensor in new.values() if len(tensor.shape) > axis)
            counted |= new.keys()
    sorted_counts = sorted(counts.items(), key=lambda item: (item[1], item[0]), reverse=True)
    return {rank: times for rank, times in sorted_counts if 0 < rank < 2**31}


def alpha_of(layers: Layers, rank: int | None) -> Alpha | None:
    """Return the alpha of the first layer that has the most common rank.

    It is near the front of the file, so it has probably been read already.
    """
    alphas = layers.of("alpha")
    if not alphas:
        return None
    parts = [layers.of(part) for part, axis in _RANK_AXES.items() if axis == 0]
    of_rank = (
        layer for layer in alphas if any(layer in tensors and tensors[layer].shape[:1] == (rank,) for tensors in parts)
    )
    layer = next(of_rank, next(iter(alphas)))
    return layer, alphas[layer]


def _what(tensors: Mapping[str, Tensor], layers: Layers, named: LayerNames, rule: Rule | None) -> What:
    """Return the type of a file.

    In a LoRA most tensors are layers, but merged checkpoints may contain a few layers too.
    """
    if layers.has("vision") and not layers.has("down", "up"):
        return "vision-lora"
    if layers.parts.keys() == {"alpha"}:
        return "other"
    if (not named.model and not named.encoders) or len(layers.others) > layers.tensors:
        return file_type_of(tensors)
    if _PATTERNS["no_lora_beside"].search("\n".join(("", *layers.others, ""))):
        return "other"
    return adapter_type_of(tensors, named) or (language_model_type_of(named) if rule is None else None) or "lora"


class Layouts:
    """A cache of structures by table of tensors. Thread-safe."""

    def __init__(self, most: int = _MOST_LAYOUTS) -> None:
        self._most = most
        # The structure and the extent of the tensors, by the hash of the table.
        self._known: dict[bytes, tuple[Structure, int]] = {}

    def read(self, raw: bytes, size: int | None) -> tuple[Structure, Header]:
        """Return the structure and the header without its tensors. Raises as `parse` does."""
        metadata, text = table_of(raw)
        start = 8 + len(raw)
        if metadata is None:
            header = parse(raw, size)
            return structure_of(header.tensors), header
        key = hashlib.sha256(text).digest()
        structure, extent = self._known.get(key, (None, 0))
        if structure is not None and size in (None, start + extent):
            return structure, Header(tensors={}, metadata=metadata, data_start=start, size=size)
        header = parse(raw, size)
        structure = structure_of(header.tensors)
        while len(self._known) >= self._most:
            self._known.pop(next(iter(self._known), b""), None)
        self._known[key] = structure, header.extent
        return structure, header
