"""Key formats: the parts of layers by the endings of names, the writer of a file by the prefixes, and plain names.

The same layer is `lora_unet_double_blocks_0_img_attn_qkv` to kohya, `diffusion_model.double_blocks.0.img_attn.qkv` to
ai-toolkit. Here both become `double_blocks_0_img_attn_qkv`, so that one rule about an architecture holds for all.
"""

import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from connectors.weights.header import Tensor

Part = Literal[
    "down", "up", "mid", "alpha", "magnitude", "up_bias", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1",
    "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "oft", "ia3",
    "on_input", "a1", "a2", "b1", "b2", "diff", "diff_b", "set", "reshape", "w_norm", "b_norm", "vision", "scale",
    "expert",
]  # fmt: skip
# Writers that an ending alone identifies: diffusers of early 2023 had attention processors, XLabs still does.
Style = Literal["", "old", "processor", "xlabs", "default", "cloneofsimo", "kohya", "cascade"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    part: Part
    style: Style = ""


def _pair(down: str, up: str, style: Style = "") -> dict[str, Ending]:
    return {down: Ending(part="down", style=style), up: Ending(part="up", style=style)}


# Endings without a style, and parts that LyCORIS and others name in the words used here.
_PLAIN_ENDINGS: Mapping[Part, str] = {
    "mid": ".lora_mid.weight",
    "up_bias": ".lora_B.bias .lora_B.default.bias",
    "magnitude": ".magnitude .dora_scale .lora_magnitude_vector .lora_magnitude_vector.weight"
    " .lora_magnitude_vector.default.weight",
    "oft": ".oft_blocks .oft_diag .oft_R.weight .boft_R",
    "scale": ".boft_s .rescale",
    "ia3": ".ia3_l",
    "a1": ".a1.weight",
    "a2": ".a2.weight",
    "b1": ".b1.weight",
    "b2": ".b2.weight",
    "set": ".set_weight",
    "reshape": ".reshape_weight",
}
_NAMED_AS_PARTS: tuple[Part, ...] = (
    "alpha", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a",
    "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "on_input", "diff", "diff_b", "w_norm", "b_norm",
)  # fmt: skip
ENDINGS: Mapping[str, Ending] = {
    **_pair(".lora_down.weight", ".lora_up.weight", "kohya"),
    **_pair(".lora_A.weight", ".lora_B.weight"),
    **_pair(".lora_A", ".lora_B"),
    **_pair(".lora_A.default.weight", ".lora_B.default.weight", "default"),
    **_pair(".lora.down.weight", ".lora.up.weight", "old"),
    **_pair(".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight", "old"),
    **_pair("_lora.down.weight", "_lora.up.weight", "processor"),
    # Written by hand from a diffusers file.
    **_pair("_lora_down.weight", "_lora_up.weight", "kohya"),
    # Stable Cascade's own trainer.
    **_pair(".lora_down", ".lora_up", "cascade"),
    ".oft_R.default.weight": Ending(part="oft", style="default"),
    ".ia3_l.default": Ending(part="ia3", style="default"),
    **{ending: Ending(part=part) for part, endings in _PLAIN_ENDINGS.items() for ending in endings.split()},
    **{f".{part}": Ending(part=part) for part in _NAMED_AS_PARTS},
}
# unet:4:down of cloneofsimo/lora; w_a_003 of LoRA heads for vision transformers such as SAM.
_WHOLE: tuple[tuple[re.Pattern[str], Ending], ...] = (
    (re.compile(r"(?P<layer>(?:unet|text_encoder):\d+):down$"), Ending(part="down", style="cloneofsimo")),
    (re.compile(r"(?P<layer>(?:unet|text_encoder):\d+):up$"), Ending(part="up", style="cloneofsimo")),
    (re.compile(r"(?P<layer>w_[ab]_\d+)$"), Ending(part="vision")),
    # XLabs: 1 is the stream of the image, 2 that of the text.
    (re.compile(r"(?P<layer>.+\.processor\.\w+_lora[12])\.down\.weight$"), Ending(part="down", style="xlabs")),
    (re.compile(r"(?P<layer>.+\.processor\.\w+_lora[12])\.up\.weight$"), Ending(part="up", style="xlabs")),
    # kohya's OFT for FLUX turns each part of a fused layer by blocks of its own.
    (re.compile(r"(?P<layer>.+\.oft_blocks\.\d+)$"), Ending(part="oft", style="kohya")),
    # A mixture of experts: several factors for one layer, and a router that weighs them.
    (re.compile(r"(?P<layer>.+\.(?:lora_(?:ups|downs)\.\d+\.weight|router\.(?:weight|bias)))$"), Ending(part="expert")),
)
# PEFT writes the name that was given to the adapter too: .lora_A.default_0.weight, .hada_w1_a.my_adapter
_ADAPTER_NAME = re.compile(
    r"(?P<layer>.+)(?P<ending>\.(?:lora_[AB]|lora_magnitude_vector|ia3_l|oft_R|lokr_w[12](?:_[ab])?|lokr_t2|hada_w[12]_[ab]"
    r"|hada_t[12]))\.(?!weight$|bias$)[\w-]+(?P<rest>\.weight|\.bias)?$"
)
# Tensors that may accompany a LoRA: embeddings, and the norms of a control LoRA.
_BESIDE = re.compile(r"^bundle_emb\.|\.(?:query|key)_norm\.scale$|^<.+>$|_token_embed|\.string_to_param\.")


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sorted(Generic[T]):
    """An adapter's tensors by part and layer. `beside` counts what comes with a LoRA, `others` is anything else."""

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


Layers = Sorted[Tensor]


def sort(tensors: Mapping[str, T]) -> Sorted[T]:
    """Sorts tensors by part and layer. This is the hot loop of an inspection: most names have one of a few endings."""
    by_ending: defaultdict[str, dict[str, T]] = defaultdict(dict)
    if next(iter(tensors), "").startswith("lora_"):
        # kohya's names have dots in their endings only. What else is in such a file is sorted below.
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
    for text, found in by_ending.items():
        if known := ENDINGS.get(text):
            styles.add(known.style)
            parts.setdefault(known.part, {}).update(found)
        else:
            rest.update({layer + text: tensor for layer, tensor in found.items()})
    # Names that need a longer look.
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
    return Sorted(parts=parts, styles=frozenset(styles), beside=beside, others=tuple(others))


def _match(name: str, on_input: Container[str]) -> tuple[Ending, str] | None:
    """Less common endings: before the last dot, or a layer's own `.weight` where LyCORIS trains IA3."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefix:
    """`encoder`: a text encoder's layer follows."""

    text: str
    format: str
    encoder: bool = False


# Prefixes by format: of the layers of the image or video model, and of a text encoder's.
_PREFIXES: Mapping[str, tuple[str, str]] = {
    "kohya": (
        # VideoX-Fun writes two lines where kohya's scripts write one.
        "lora_unet_unet_ lora_unet__ lora_unet_ lora_prior_unet_ oft_unet_ Hunyuan_video_I2V_lora_",
        "lora_prior_te_ lora_te oft_te",
    ),
    "onetrainer": ("lora_transformer_", ""),
    "lycoris": ("lycoris_", ""),
    "ai-toolkit": ("model.diffusion_model. diffusion_model.", "text_encoders."),
    "peft": (
        "transformer.base_model.model. unet.base_model.model. base_model.model.unet. base_model.model.transformer. "
        "base_model.model.",
        "text_encoder.base_model.model. base_model.model.text_model.",
    ),
    "cloneofsimo": ("unet:", "text_encoder:"),
    "diffusers": ("transformer. unet.", "text_encoder text_model."),
    # Cosmos-Predict2's own code.
    "peft-default-bare": ("net.", ""),
}
# A longer prefix comes before a shorter one that it starts with.
PREFIXES: tuple[Prefix, ...] = tuple(
    sorted(
        (
            Prefix(text=text, format=format, encoder=bool(is_encoder))
            for format, prefixes in _PREFIXES.items()
            for is_encoder, texts in enumerate(prefixes)
            for text in texts.split()
        ),
        key=lambda prefix: len(prefix.text),
        reverse=True,
    )
)
BARE = Prefix(text="", format="")
_BEGINS = 4
# Stand-ins for prefixes while names are parsed; neither can be in a name.
_MODEL, _ENCODER = "\x01", "\x02"


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """`model` and `encoders` map plain layer names to the names in the file."""

    model: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    prefixes: frozenset[Prefix] = frozenset()


def name(layers: Sequence[str]) -> Named:
    """Plain names for all layers. They are replaced in one text, which is far quicker than name by name."""
    # One line for each layer, with a line end before the first and after the last.
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
    # Attention processors of early diffusers and of XLabs patch the layer they stand in.
    lines = text.replace(".processor.", ".").replace(".", "_").replace("\n" + _MODEL, "\n").split("\n")[1:-1]
    if _ENCODER not in text:
        return Named(model=dict(zip(lines, layers, strict=True)), prefixes=frozenset(prefixes))
    model: dict[str, str] = {}
    encoders: dict[str, str] = {}
    for line, layer in zip(lines, layers, strict=True):
        if line[:1] == _ENCODER:
            encoders[line[1:]] = layer
        else:
            model[line] = layer
    return Named(model=model, encoders=encoders, prefixes=frozenset(prefixes))


def format_of(named: Named, layers: Layers) -> str | None:
    """The format in the words of the catalog; a file of two formats names both, joined by "+"."""
    found = {_format_of(prefix, named, layers) for prefix in named.prefixes if not prefix.encoder or not named.model}
    return "+".join(sorted(found - {""})) or None


def _format_of(prefix: Prefix, named: Named, layers: Layers) -> str:
    for style in ("xlabs", "cloneofsimo"):
        if style in layers.styles:
            return style
    if prefix is not BARE:
        return (
            "diffusers-old" if prefix.format == "diffusers" and layers.styles & {"old", "processor"} else prefix.format
        )
    # Names without a prefix are recognised by their endings.
    if "processor" in layers.styles:
        # XLabs numbers its processors only where a block has two.
        return "xlabs" if any(plain.startswith("single_blocks_") for plain in named.model) else "diffusers-attn-procs"
    if "old" in layers.styles:
        return "diffusers-old"
    if "cascade" in layers.styles:
        return ""
    # A control LoRA of Black Forest Labs has norms beside it.
    if layers.beside and layers.has("up_bias"):
        return "bfl-control"
    return "diffusers" if "kohya" in layers.styles else "peft-default-bare"
