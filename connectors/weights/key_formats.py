"""Key formats: the parts of layers by suffixes, the writer of a file by prefixes, plain layer names, and shapes.

The same layer is `lora_unet_double_blocks_0_img_attn_qkv` in kohya's files and
`diffusion_model.double_blocks.0.img_attn.qkv` in ai-toolkit's. Here both become `double_blocks_0_img_attn_qkv`, so that
one rule about an architecture applies to all writers.
"""

import math
import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Generic, Literal, TypeVar

import msgspec

from connectors.claims import read_tables
from connectors.weights.header import Tensor

Part = Literal[
    "down", "up", "mid", "alpha", "magnitude", "up_bias", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1",
    "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "oft", "ia3",
    "on_input", "a1", "a2", "b1", "b2", "diff", "diff_b", "set", "reshape", "w_norm", "b_norm", "vision", "scale",
    "expert",
]  # fmt: skip
# Writers that a suffix identifies. Diffusers of early 2023 had attention processors, and XLabs still has them.
Style = Literal["", "old", "processor", "xlabs", "default", "cloneofsimo", "kohya", "cascade", "nunchaku"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    part: Part
    style: Style = ""


_TABLES = read_tables("tensor_names.toml")["key_formats"]
ENDINGS: Mapping[str, Ending] = {
    ending: Ending(part=part, style=style)
    for style, parts in msgspec.convert(_TABLES["endings"], dict[Style, dict[Part, list[str]]]).items()
    for part, endings in parts.items()
    for ending in endings
}
_WHOLE = [
    (re.compile(row["pattern"]), msgspec.convert({"style": row["style"], "part": row["part"]}, Ending))
    for row in _TABLES["whole"]
]
# PEFT also writes the adapter's name: .lora_A.default_0.weight, .hada_w1_a.my_adapter
_ADAPTER_NAME = re.compile(
    r"(?P<layer>.+)(?P<ending>\.(?:lora_[AB]|lora_magnitude_vector|ia3_l|oft_R|lokr_w[12](?:_[ab])?|lokr_t2|hada_w[12]_[ab]"
    r"|hada_t[12]))\.(?!(?:scale_)?weight(?:_scale)?$|bias$)[\w-]+(?P<rest>\.weight|\.bias)?$"
)
# Tensors that may accompany a LoRA: embeddings, and the norms of a control LoRA.
_BESIDE = re.compile(r"^bundle_emb\.|\.(?:query|key)_norm\.scale$|^<.+>$|_token_embed|\.string_to_param\.")


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class SortedTensors(Generic[T]):
    """The tensors of an adapter by part and layer.

    `beside` counts tensors that accompany a LoRA, `others` names the rest.
    """

    parts: Mapping[Part, Mapping[str, T]]
    styles: frozenset[Style] = frozenset()
    beside: int = 0
    others: tuple[str, ...] = ()

    def of(self, part: Part) -> Mapping[str, T]:
        return self.parts.get(part, {})

    def has(self, *parts: Part) -> bool:
        return any(part in self.parts for part in parts)

    @property
    def tensors(self) -> int:
        return sum(map(len, self.parts.values()))


Layers = SortedTensors[Tensor]


def sort(tensors: Mapping[str, T]) -> SortedTensors[T]:
    """Sort tensors by part and layer.

    This is the hot loop of an inspection, and most names have one of a few suffixes.
    """
    by_ending: defaultdict[str, dict[str, T]] = defaultdict(dict)
    if next(iter(tensors), "").startswith("lora_"):
        # kohya's names have dots only in the suffix. Other names in such a file are sorted below.
        for name, tensor in tensors.items():
            layer, dot, ending = name.partition(".")
            by_ending[dot + ending][layer] = tensor
    else:
        for name, tensor in tensors.items():
            layer, dot, ending = name.rpartition(".lora")
            if not dot:
                layer, dot, ending = name.rpartition(".")
            by_ending[dot + ending][layer] = tensor
    parts: dict[Part, dict[str, T]] = {}
    styles: set[Style] = set()
    rest: dict[str, T] = {}
    for text, tensors_by_layer in by_ending.items():
        if known := ENDINGS.get(text):
            styles.add(known.style)
            parts.setdefault(known.part, {}).update(tensors_by_layer)
        else:
            rest.update({layer + text: tensor for layer, tensor in tensors_by_layer.items()})
    # The remaining names need a slower look.
    beside, others = 0, []
    for name, tensor in rest.items():
        if _BESIDE.search(name):
            beside += 1
        elif (match := _match(name, parts.get("on_input", {}))) is None:
            others.append(name)
        else:
            known, layer = match
            styles.add(known.style)
            parts.setdefault(known.part, {})[layer] = tensor
    return SortedTensors(parts=parts, styles=frozenset(styles), beside=beside, others=tuple(others))


def _match(name: str, on_input: Container[str]) -> tuple[Ending, str] | None:
    """Match less common suffixes: before the last dot, or a layer's own `.weight` for an IA3 by LyCORIS."""
    dot = name.rfind(".")
    cuts = (name.rfind(".lora"), name.rfind("_lora"), dot, name.rfind(".", 0, max(dot, 0)))
    for end in (name[cut:] for cut in cuts if cut >= 0):
        if end in ENDINGS:
            return ENDINGS[end], name[: -len(end)]
    layer = name.removesuffix(".weight")
    if layer in on_input:
        return Ending(part="ia3", style="kohya"), layer
    for pattern, ending in _WHOLE:
        if match := pattern.match(name):
            return ending, match["layer"]
    match = _ADAPTER_NAME.match(name)
    known = ENDINGS.get(match["ending"] + (match["rest"] or "")) if match else None
    return (Ending(part=known.part, style="default"), match["layer"]) if match and known else None


def unpack_shapes(layers: Layers) -> Layers:
    """Return the layers with normal shapes. Nunchaku packs the down factors as inputs x rank."""
    if "cascade" not in layers.styles:
        return layers
    downs, ups = layers.of("down"), layers.of("up")
    packed = {
        layer: msgspec.structs.replace(down, shape=down.shape[::-1])
        for layer, down in downs.items()
        if layer in ups
        and len(down.shape) == len(ups[layer].shape) == 2
        and down.shape[0] != ups[layer].shape[1] == down.shape[1]
    }
    if not packed:
        return layers
    return replace(layers, parts={**layers.parts, "down": {**downs, **packed}}, styles=layers.styles | {"nunchaku"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefix:
    """A prefix of layer names. `encoder`: the layer belongs to a text encoder."""

    text: str
    format: str
    encoder: bool = False


# A longer prefix comes before a shorter one that it starts with.
PREFIXES: tuple[Prefix, ...] = tuple(
    sorted(
        (
            Prefix(text=text, format=format, encoder=follows == "encoder")
            for format, prefixes in _TABLES["prefixes"].items()
            for follows, texts in prefixes.items()
            for text in texts
        ),
        key=lambda prefix: len(prefix.text),
        reverse=True,
    )
)
BARE = Prefix(text="", format="")
_BEGINS = 3
# Placeholders for prefixes while names are parsed. A name can't contain them.
_MODEL, _ENCODER = "\x01", "\x02"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerNames:
    """The plain names of layers. `model` and `encoders` map them to the names in the file."""

    model: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    prefixes: frozenset[Prefix] = frozenset()


def name(layers: Sequence[str]) -> LayerNames:
    """Return plain names for all layers. All are replaced in one text, which is far quicker than name by name."""
    # Each layer is on its own line, with a line end before the first and after the last.
    text = "\n".join(("", *layers, ""))
    if text.count("\n") != len(layers) + 1 or _MODEL in text or _ENCODER in text:
        text = "\n".join(("", *(re.sub(r"[\n\x01\x02]", " ", layer) for layer in layers), ""))
    prefixes: set[Prefix] = set()
    begins = {layer[:_BEGINS] for layer in layers}
    for prefix in PREFIXES:
        if prefix.text[:_BEGINS] in begins and (start := "\n" + prefix.text) in text:
            prefixes.add(prefix)
            text = text.replace(start, "\n" + (_ENCODER if prefix.encoder else _MODEL))
    if text.count("\n" + _MODEL) + text.count("\n" + _ENCODER) < len(layers):
        prefixes.add(BARE)
    # Attention processors of early diffusers and of XLabs patch the layer that contains them.
    lines = text.replace(".processor.", ".").replace(".", "_").replace("\n" + _MODEL, "\n").split("\n")[1:-1]
    if _ENCODER not in text:
        return LayerNames(model=dict(zip(lines, layers, strict=True)), prefixes=frozenset(prefixes))
    model: dict[str, str] = {}
    encoders: dict[str, str] = {}
    for line, layer in zip(lines, layers, strict=True):
        if line[:1] == _ENCODER:
            encoders[line[1:]] = layer
        else:
            model[line] = layer
    return LayerNames(model=model, encoders=encoders, prefixes=frozenset(prefixes))


def format_of(named: LayerNames, layers: Layers) -> str | None:
    """Return the format in the words of the catalog. A file of two formats has both names, joined by "+"."""
    formats = {_format_of(prefix, named, layers) for prefix in named.prefixes if not prefix.encoder or not named.model}
    return "+".join(sorted(formats - {""})) or None


def _format_of(prefix: Prefix, named: LayerNames, layers: Layers) -> str:
    for style in ("xlabs", "cloneofsimo", "nunchaku"):
        if style in layers.styles:
            return style
    if prefix is not BARE:
        return (
            "diffusers-old" if prefix.format == "diffusers" and layers.styles & {"old", "processor"} else prefix.format
        )
    # Names without a prefix are recognised by their endings.
    if "processor" in layers.styles:
        # XLabs numbers its processors only if a block has two.
        return "xlabs" if any(plain.startswith("single_blocks_") for plain in named.model) else "diffusers-attn-procs"
    if "old" in layers.styles:
        return "diffusers-old"
    if "cascade" in layers.styles:
        return ""
    # Control LoRAs of Black Forest Labs have norms too.
    if layers.beside and layers.has("up_bias"):
        return "bfl-control"
    return "diffusers" if "kohya" in layers.styles else "peft-default-bare"


# By axis: the factors that have the output width of a layer, and the factors that have its input width.
_HALVES: tuple[tuple[Part, ...], ...] = (("up", "hada_w1_a", "b1", "diff"), ("down", "hada_w1_b", "a2", "diff"))
_LOKR: tuple[tuple[tuple[Part, ...], ...], ...] = (
    (("lokr_w1", "lokr_w1_a"), ("lokr_w2", "lokr_w2_a")),
    (("lokr_w1", "lokr_w1_b"), ("lokr_w2", "lokr_w2_b")),
)
_OUTPUT, _INPUT = 0, 1
_HIDDEN, _SQUARE = tuple(_TABLES["hidden"]), tuple(_TABLES["square"])
_LEADING = re.compile(r"\D*")
# The container and the number of a block. Real networks have fewer than ten thousand blocks.
_BLOCK = re.compile(r"\n(\D+)_(\d{1,4})(?=[_\n])")
_CONTAINER = re.compile(r"(\D+)_\d")


class LayerShapes:
    """The names and widths of the layers of the image or video model. `encoder_*` methods are about text encoders."""

    def __init__(self, named: LayerNames, layers: Layers) -> None:
        self._named = named
        self._layers = layers
        # Every plain name is on its own line, so that a rule can match the start of a name.
        self._text = "\n" + "\n".join(named.model) + "\n"
        # A cache, because several rules query the same layers.
        self._widths: dict[tuple[str, str], set[int]] = {}

    @cached_property
    def containers(self) -> frozenset[str]:
        """The parts of the names before the first number: "double_blocks", or "#" for a name that is a number."""
        names: set[str] = set()
        last = " "
        for plain in self._named.model:
            # Most names begin like the previous one.
            if not plain.startswith(last):
                last = _LEADING.match(plain)[0]  # type: ignore[index]
                names.add(last.rstrip("_") or "#")
                last = last or " "
        return frozenset(names)

    def has(self, words: str) -> bool:
        """Return whether a layer's name contains `words`, or begins with them after a leading "\\n"."""
        return words in self._text

    def writes(self, *words: str) -> bool:
        """Return whether a layer's name in the file contains one of the `words`."""
        return any(word in layer for layer in self._named.model.values() for word in words)

    def last(self, container: str) -> int:
        """Return the highest number of a block of `container` ("transformer_blocks"), or -1."""
        return max(self.blocks(container), default=-1)

    def blocks(self, container: str) -> frozenset[int]:
        """Return the numbers of all blocks of `container` ("transformer_blocks") that have a layer in the file."""
        return self._blocks.get(container, frozenset())

    @cached_property
    def _blocks(self) -> Mapping[str, frozenset[int]]:
        numbers = set(_BLOCK.findall(self._text))
        return {
            container: frozenset(int(number) for name, number in numbers if name == container)
            for container in {name for name, _ in numbers}
        }

    @cached_property
    def block_widths(self) -> Mapping[str, set[int]]:
        """The input widths of the layers that read the hidden state, by the container of their blocks."""
        widths: defaultdict[str, set[int]] = defaultdict(set)
        for plain, layer in self._named.model.items():
            # The factors of other algorithms don't show the width.
            shape = self._shape(layer, *_HALVES[_INPUT]) if plain.endswith(_HIDDEN) else ()
            if shape and (block := _CONTAINER.match(plain)):
                widths[block[1]].add(shape[_INPUT])
        return widths

    @cached_property
    def is_excerpt(self) -> bool:
        """Whether most layers lack one of two factors.

        Trainers don't write such files, so blocks may be missing too.
        """
        downs, ups = self._layers.of("down").keys(), self._layers.of("up").keys()
        return len(downs ^ ups) > len(downs & ups)

    @property
    def formats(self) -> frozenset[str]:
        """The writers of the names, by their prefixes."""
        return frozenset(prefix.format for prefix in self._named.prefixes)

    def matches(self, pattern: str) -> bool:
        return re.search(pattern, self._text) is not None

    def widths(self, words: str = "", last: str = "") -> set[int]:
        """Return the input widths of layers whose names contain one of `words` and end in one of `last`.

        Both are comma-separated.
        """
        if (words, last) not in self._widths:
            ends = tuple(last.split(","))
            self._widths[words, last] = {
                width
                for word in words.split(",")
                for plain, width in self._input_widths
                if word in plain and plain.endswith(ends)
            }
        return self._widths[words, last]

    @cached_property
    def _input_widths(self) -> list[tuple[str, int]]:
        layers, downs = self._named.model.items(), self._layers.of("down")
        if not any(len(tensor.shape) < 2 for tensor in downs.values()):
            known_widths = [(plain, downs[layer].shape[1]) for plain, layer in layers if layer in downs]
            if len(known_widths) == len(layers):
                return known_widths
        return [(plain, width) for plain, layer in layers if (width := self._width(layer, _INPUT)) is not None]

    def outputs(self, last: str) -> set[int]:
        """Return the output widths of layers whose names end in one of the comma-separated `last`."""
        ends = tuple(last.split(","))
        layers = (layer for plain, layer in self._named.model.items() if plain.endswith(ends))
        return {width for layer in layers if (width := self._width(layer, _OUTPUT)) is not None}

    def encoder_widths(self, words: str = "") -> set[int]:
        widths = set()
        for plain, layer in self._named.encoders.items():
            if words in plain:
                width = self._width(layer, _INPUT)
                if not width and plain.endswith(("k_proj", "v_proj", "q_proj")):
                    # IA3 has a number for each output of a layer. The outputs of attention are as many as its inputs.
                    tensor = self._layers.of("ia3").get(layer)
                    width = max(tensor.shape, default=None) if tensor else None
                if width is not None:
                    widths.add(width)
        return widths

    def encoders_begin(self, words: str) -> bool:
        """Return whether the name of a text encoder's layer in the file begins with `words`."""
        return any(layer.startswith(words) for layer in self._named.encoders.values())

    def is_convolution(self, last: str) -> bool | None:
        """Return whether a layer whose name ends in `last` is a convolution, even of kernel 1.

        Return None if that is unknown. IA3 has no width, and may have flat convolutions.
        """
        tensors_by_layer = {**self._layers.of("ia3"), **self._layers.of("down")}
        layers = [
            layer for plain, layer in self._named.model.items() if plain.endswith(last) and layer in tensors_by_layer
        ]
        if any(len(tensors_by_layer[layer].shape) == 4 for layer in layers):
            return True
        return False if layers and self.widths(last=last) else None

    def _width(self, layer: str, axis: int) -> int | None:
        """Return the width of a layer's input or output, or None if the algorithm doesn't show it."""
        if shape := self._shape(layer, *_HALVES[axis]):
            return shape[axis]
        # LoKr is the Kronecker product of two factors, each whole or split in two.
        one, two = (self._shape(layer, *parts) for parts in _LOKR[axis])
        if one and two and one[axis] * two[axis]:
            return one[axis] * two[axis]
        # OFT has blocks along the diagonal, on the output, but on the input for PEFT and for flat blocks.
        blocks = self._shape(layer, "oft")
        side = _INPUT if len(blocks) == 2 or "peft" in self.formats else _OUTPUT
        if not blocks or (axis != side and not layer.replace(".", "_").endswith(_SQUARE)):
            return None
        # A flat block is skew-symmetric: with b rows it has b (b - 1) / 2 numbers.
        return blocks[-3] * blocks[-1] if len(blocks) > 2 else blocks[0] * ((1 + math.isqrt(1 + 8 * blocks[1])) // 2)

    def _shape(self, layer: str, *parts: Part) -> Sequence[int]:
        """Return the shape of the layer's first of these parts that has two or more axes, or () if there is none."""
        tensors = (self._layers.of(part).get(layer) for part in parts)
        return next((tensor.shape for tensor in tensors if tensor is not None and len(tensor.shape) >= 2), ())
