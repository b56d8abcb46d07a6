"""The layers of a LoRA file and the modules of a model that they patch. Most of it works without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt, prod
from typing import TYPE_CHECKING, Any

from connectors.weights.key_formats import Part, sort
from hub_ui.generate.lora.algorithms import formula_of
from hub_ui.generate.lora.parameters import logical_shape
from hub_ui.generate.result import Missed

if TYPE_CHECKING:
    from torch import nn


Shape = tuple[int, ...]
# Component of a pipeline ("unet", "transformer", "text_encoder_2") -> name of a parameter ("a.b.weight") -> its shape.
Model = Mapping[str, Mapping[str, Shape]]
# Component and module.
ModuleKey = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer of a file. `name` is the common prefix of its tensors, `keys` are their full names.

    `algorithm` is lora, loha, lokr, oft, boft, ia3, glora, diff, norm or set. `targets` are the patched modules.
    """

    name: str
    algorithm: str
    keys: Mapping[Part, str]
    targets: Targets = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A module that a layer patches. `module` is a module's name without ".weight", or a bare parameter's name.

    `rows` are the ranges of the layer's outputs for this module, in the module's order; None means all outputs. A fused
    layer (q, k and v in one) has several targets, each with its own rows. A layer with swapped halves has one target
    with two ranges. `inputs` is the number of inputs to expand the module to: a control LoRA expands FLUX's x_embedder.
    """

    component: str
    module: str
    rows: tuple[tuple[int, int], ...] | None = None
    inputs: int | None = None

    @property
    def key(self) -> ModuleKey:
        return self.component, self.module


Targets = tuple[Target, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyMapping:
    """The layers of a file with their targets, and the tensors that have none, grouped by reason."""

    layers: tuple[Layer, ...]
    missed: tuple[Missed, ...]


# LoRAs are not trained on these components, whose layers have the same names as layers of other components.
_NOT_PATCHED = (
    "vae", "audio_vae", "vqgan", "movq", "safety_checker", "image_encoder", "feature_extractor", "vocoder",
    "image_noising_scheduler",
)  # fmt: skip


def components(pipe: Any) -> dict[str, nn.Module]:
    """Return the networks of a standard or modular diffusers pipeline by name."""
    from torch import nn

    return {
        name: part for name, part in pipe.components.items() if isinstance(part, nn.Module) and name not in _NOT_PATCHED
    }


def model_of(pipe: Any) -> Model:
    return {
        name: {
            parameter: logical_shape(part.get_submodule(parameter.rpartition(".")[0]), value)
            for parameter, value in part.named_parameters()
        }
        for name, part in components(pipe).items()
    }


_EMBEDDING = "of the embedding “{word}”, which is not put on: in a prompt, “{word}” is a plain word here"
# The parts of a key around the embedding's name.
_AROUND_EMBEDDING = re.compile(r"^bundle_emb\.|\.(?:string_to_param\.\*|[^.]+)$")
_LONGEST_WORD = 60
HALF = "of layers whose other half is missing in the file"
STRAY = "that no LoRA algorithm has"
EXPERT = "of a mixture of LoRAs, which the preview can't weigh"
# FLUX's control LoRAs contain the norms of attention, with Black Forest Labs' or diffusers' names.
_NORM = re.compile(r"\.(?:(?:query|key)_norm(?=\.scale$)|norm_(?:added_)?[qk](?=\.weight$))")
# kohya's OFT for FLUX stores separate blocks for each part of a fused layer (q, k, v).
PART_OF_FUSED = re.compile(r"(?P<fused>.+)\.oft_blocks\.(?P<number>\d+)$")
# An algorithm, all parts that its layers may have, and groups of part sets: each group needs one complete set.
_Kind = tuple[str, frozenset[Part], tuple[tuple[frozenset[Part], ...], ...]]


def _kind(algorithm: str, optional: tuple[Part, ...], *needs: tuple[tuple[Part, ...], ...]) -> _Kind:
    groups = tuple(tuple(frozenset(parts) for parts in group) for group in needs)
    every_part = frozenset(optional).union(*(parts for group in groups for parts in group))
    return algorithm, every_part, groups


_KINDS: tuple[_Kind, ...] = (
    _kind("lora", ("mid", "up_bias"), (("down", "up"),)),
    _kind("loha", ("hada_t1", "hada_t2"), (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),)),
    _kind("lokr", ("lokr_t2",), (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b")), (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b"))),
    _kind("oft", ("scale",), (("oft",),)),
    _kind("glora", (), (("a1", "a2", "b1", "b2"),)),
    _kind("ia3", ("on_input",), (("ia3",),)),
    _kind("diff", (), (("diff",), ("diff_b",))),
    _kind("norm", (), (("w_norm",), ("b_norm",))),
    _kind("set", (), (("set",),)),
)
# These parts describe a layer and belong to its first algorithm.
_SHARED: frozenset[Part] = frozenset(("alpha", "magnitude", "reshape"))
# Algorithms that store values directly, without a scale.
_VALUES = ("diff", "norm", "set")
_VECTORS: tuple[Part, ...] = ("diff_b", "w_norm", "b_norm")


def layers_of(shapes: Mapping[str, Shape]) -> tuple[tuple[Layer, ...], tuple[Missed, ...]]:
    """Return the layers of a file, and its other tensors grouped by reason. Every tensor is in one of the two."""
    sorted_names = sort({name: name for name in shapes})
    by_layer: dict[str, dict[Part, str]] = {}
    for part, names in sorted_names.parts.items():
        for name, key in names.items():
            by_layer.setdefault(name, {})[part] = key
    # Give each part of a fused layer a copy of the fused layer's alpha.
    fused = {name: match["fused"] for name in by_layer if (match := PART_OF_FUSED.match(name))}
    for name, whole in fused.items():
        by_layer[name] = {**by_layer[name], **by_layer.get(whole, {})}
    for whole in fused.values():
        if by_layer.get(whole, {}).keys() <= {"alpha"}:
            by_layer.pop(whole, None)
    layers: list[Layer] = []
    missed: dict[str, list[str]] = {}
    for name, keys in by_layer.items():
        rest = dict(keys)
        for layer in _layers(name, keys, shapes):
            layers.append(layer)
            rest = {part: key for part, key in rest.items() if part not in layer.keys}
        for part, key in sorted(rest.items(), key=lambda pair: pair[0] in _SHARED):
            missed.setdefault(STRAY if part == "vision" else EXPERT if part == "expert" else HALF, []).append(key)
    others = set(sorted_names.others)
    known = {key for keys in by_layer.values() for key in keys.values()}
    for key in shapes:
        if key in known:
            continue
        if _NORM.search(key):
            layers.append(Layer(name=key.rpartition(".")[0], algorithm="set", keys={"set": key}))
        else:
            embedding = _EMBEDDING.format(word=_AROUND_EMBEDDING.sub("", key)[:_LONGEST_WORD])
            missed.setdefault(STRAY if key in others else embedding, []).append(key)
    return tuple(layers), tuple(Missed(reason=reason, keys=tuple(keys)) for reason, keys in missed.items())


def _layers(name: str, keys: Mapping[Part, str], shapes: Mapping[str, Shape]) -> Iterator[Layer]:
    shared = {part: key for part, key in keys.items() if part in _SHARED}
    for algorithm, parts, needs in _KINDS:
        present = {part: key for part, key in keys.items() if part in parts}
        if not present or not all(any(required <= present.keys() for required in group) for group in needs):
            continue
        takes_shared = algorithm not in _VALUES or len(keys) == len(present) + len(shared)
        taken, shared = (shared, {}) if takes_shared else ({}, shared)
        variant = "boft" if algorithm == "oft" and len(shapes[present["oft"]]) == 4 else algorithm
        yield Layer(name=name, algorithm=variant, keys={**present, **taken})


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The outputs and inputs of a weight as a matrix; None if the factors don't determine them.

    `inputs` include a convolution's window. `channels` are either the outputs or the inputs, without the window: an IA3
    of a convolution does not determine the side.
    """

    outputs: int | None = None
    inputs: int | None = None
    channels: int | None = None

    def fits(self, *shapes: Shape) -> bool:
        """Return whether the layer has as many outputs as all these weights together, and the inputs of each weight."""
        outputs = sum(shape[0] for shape in shapes if shape) or 1
        return (
            self.outputs in (None, outputs)
            and all(self.inputs in (None, matrix(shape)[1]) for shape in shapes)
            and self.channels in (None, outputs, *shapes[0][1:2])
        )

    def __str__(self) -> str:
        if self.channels is not None:
            return f"{self.channels} channels"
        return f"{'?' if self.outputs is None else self.outputs} x {'?' if self.inputs is None else self.inputs}"


def matrix(shape: Shape) -> tuple[int, int]:
    """Return a weight's shape as a matrix. A norm's weight has one number per output."""
    return (shape[0], prod(shape[1:])) if shape else (1, 1)


def size_of(layer: Layer, shapes: Mapping[str, Shape]) -> Size | None:
    """Return the size of a layer, or None if a factor has too few axes, so that the layer can't be used."""
    try:
        return _size(formula_of(layer.algorithm, layer.keys), {part: shapes[key] for part, key in layer.keys.items()})
    except (IndexError, ZeroDivisionError):
        return None


def _size(formula: str, parts: Mapping[Part, Shape]) -> Size:
    match formula:
        case "lora":
            window = prod(parts["mid"][2:]) if "mid" in parts else 1
            return Size(outputs=parts["up"][0], inputs=parts["down"][1] * prod(parts["down"][2:]) * window)
        case "loha" if "hada_t1" in parts:
            return Size(outputs=parts["hada_w1_a"][1], inputs=parts["hada_w1_b"][1] * prod(parts["hada_t1"][2:]))
        case "loha":
            return Size(outputs=parts["hada_w1_a"][0], inputs=prod(parts["hada_w1_b"][1:]))
        case "lokr":
            first = parts["lokr_w1"] if "lokr_w1" in parts else (parts["lokr_w1_a"][0], parts["lokr_w1_b"][1])
            if "lokr_w2" in parts:
                second = parts["lokr_w2"][0], parts["lokr_w2"][1] * prod(parts["lokr_w2"][2:])
            elif "lokr_t2" in parts:
                second = parts["lokr_w2_a"][1], parts["lokr_w2_b"][1] * prod(parts["lokr_t2"][2:])
            else:
                second = parts["lokr_w2_a"][0], prod(parts["lokr_w2_b"][1:])
            return Size(outputs=first[0] * second[0], inputs=first[1] * second[1])
        case "oft" | "boft":
            return Size(outputs=parts["oft"][-3] * parts["oft"][-1])
        case "oft of PEFT":
            # PEFT stores the upper triangles of the blocks. All inputs may share a single block (`block_share`).
            blocks = parts["oft"]
            shared = blocks[0] == 1 and blocks[1] > 0
            return Size(inputs=None if shared else blocks[0] * ((1 + isqrt(1 + 8 * blocks[1])) // 2))
        case "boft of PEFT":
            outputs = prod(parts["scale"]) if "scale" in parts else None
            return Size(inputs=parts["oft"][-3] * parts["oft"][-1], outputs=outputs)
        case "glora":
            return Size(outputs=parts["b1"][0], inputs=prod(parts["b2"][1:]))
        case "ia3":
            shape = parts["ia3"]
            # LyCORIS stores the scaled side in `on_input`; PEFT doesn't store it for convolutions.
            if "on_input" in parts or len(shape) > 2:
                return Size(channels=prod(shape))
            return Size(outputs=shape[0]) if len(shape) > 1 and shape[1] == 1 < shape[0] else Size(inputs=shape[-1])
        case "diff" | "set" if "diff" in parts or "set" in parts:
            outputs, inputs = matrix(parts["diff"] if "diff" in parts else parts["set"])
            return Size(outputs=outputs, inputs=inputs)
    return Size(outputs=next(parts[part] for part in _VECTORS if part in parts)[0])
