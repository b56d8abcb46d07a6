"""Naming formats: who wrote a LoRA file, by the beginnings of its layers' names, and what each layer is called without.

The same layer is `lora_unet_double_blocks_0_img_attn_qkv` to kohya, `diffusion_model.double_blocks.0.img_attn.qkv` to
ai-toolkit. Here both become `double_blocks_0_img_attn_qkv`, so that one rule about an architecture holds for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from connectors.facts.suffixes import Layers


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefix:
    """`encoder`: what follows names a layer of a text encoder."""

    text: str
    format: str
    encoder: bool = False


def _encoder(text: str, written_by: str) -> Prefix:
    return Prefix(text=text, format=written_by, encoder=True)


# The longer beginning stands before the shorter one that it starts with.
PREFIXES: tuple[Prefix, ...] = (
    Prefix(text="lora_unet_unet_", format="kohya"),
    Prefix(text="lora_unet_", format="kohya"),
    _encoder("lora_prior_te_", "kohya"),
    Prefix(text="lora_prior_unet_", format="kohya"),
    Prefix(text="lora_transformer_", format="onetrainer"),
    _encoder("lora_te", "kohya"),
    Prefix(text="oft_unet_", format="kohya"),
    _encoder("oft_te", "kohya"),
    Prefix(text="Hunyuan_video_I2V_lora_", format="kohya"),
    Prefix(text="lycoris_", format="lycoris"),
    Prefix(text="model.diffusion_model.", format="ai-toolkit"),
    Prefix(text="diffusion_model.", format="ai-toolkit"),
    _encoder("text_encoders.", "ai-toolkit"),
    Prefix(text="transformer.base_model.model.", format="peft"),
    Prefix(text="unet.base_model.model.", format="peft"),
    _encoder("text_encoder.base_model.model.", "peft"),
    Prefix(text="base_model.model.unet.", format="peft"),
    Prefix(text="base_model.model.transformer.", format="peft"),
    _encoder("base_model.model.text_model.", "peft"),
    Prefix(text="base_model.model.", format="peft"),
    _encoder("text_encoder:", "cloneofsimo"),
    _encoder("text_encoder", "diffusers"),
    _encoder("text_model.", "diffusers"),
    Prefix(text="transformer.", format="diffusers"),
    Prefix(text="unet.", format="diffusers"),
    # Cosmos-Predict2's own code.
    Prefix(text="net.", format="peft-default-bare"),
    Prefix(text="unet:", format="cloneofsimo"),
)
BARE = Prefix(text="", format="")
_BEGINS = 4
# Stand for a prefix while names are taken apart; neither can be in a name that came through `_lines`.
_MODEL, _ENCODER = "\x01", "\x02"


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """`model` and `encoders` map plain layer names to the names in the file."""

    model: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    prefixes: frozenset[Prefix] = frozenset()


def name(layers: Sequence[str]) -> Named:
    """Plain names for all layers. One text is cut and replaced in, which is far quicker than name by name."""
    text, prefixes = _marked(_lines(layers), {layer[:_BEGINS] for layer in layers})
    # Attention processors of early diffusers and of XLabs patch the layer they stand in.
    text = text.replace(".processor.", ".").replace(".", "_")
    if _ENCODER not in text:
        plain = text.replace("\n" + _MODEL, "\n").split("\n")[1:-1]
        return Named(model=dict(zip(plain, layers, strict=True)), prefixes=frozenset(prefixes))
    lines = text.replace("\n" + _MODEL, "\n").split("\n")[1:-1]
    model: dict[str, str] = {}
    encoders: dict[str, str] = {}
    for line, layer in zip(lines, layers, strict=True):
        if line[:1] == _ENCODER:
            encoders[line[1:]] = layer
        else:
            model[line] = layer
    return Named(model=model, encoders=encoders, prefixes=frozenset(prefixes))


def _lines(layers: Sequence[str]) -> str:
    """One layer a line, a line end before the first and after the last."""
    text = "\n".join(("", *layers, ""))
    if text.count("\n") == len(layers) + 1 and _MODEL not in text and _ENCODER not in text:
        return text
    return "\n".join(("", *(re.sub(r"[\n\x01\x02]", " ", layer) for layer in layers), ""))


def _marked(text: str, begins: Set[str]) -> tuple[str, set[Prefix]]:
    """The text with a mark in place of every prefix, and the prefixes that were there."""
    found: set[Prefix] = set()
    for prefix in PREFIXES:
        if prefix.text[:_BEGINS] in begins and (start := "\n" + prefix.text) in text:
            found.add(prefix)
            text = text.replace(start, "\n" + (_ENCODER if prefix.encoder else _MODEL))
    marks = text.count("\n" + _MODEL) + text.count("\n" + _ENCODER)
    return text, found if marks == text.count("\n") - 1 else {*found, BARE}


def format_of(named: Named, layers: Layers) -> str | None:
    """The format in the words of the catalog; a file of two formats names both, joined by "+"."""
    found = {_format(prefix, named, layers) for prefix in named.prefixes if not prefix.encoder or not named.model}
    return "+".join(sorted(found - {""})) or None


def _format(prefix: Prefix, named: Named, layers: Layers) -> str:
    if "xlabs" in layers.styles:
        return "xlabs"
    if "cloneofsimo" in layers.styles:
        return "cloneofsimo"
    if prefix is BARE:
        return _bare(named, layers)
    if prefix.format == "diffusers" and layers.styles & {"old", "processor"}:
        return "diffusers-old"
    return prefix.format


def _bare(named: Named, layers: Layers) -> str:
    """Names without a beginning: by the endings, or a control LoRA of Black Forest Labs, which has norms beside it."""
    if "processor" in layers.styles:
        # XLabs numbers its processors only where a block has two.
        return "xlabs" if any(plain.startswith("single_blocks_") for plain in named.model) else "diffusers-attn-procs"
    if "old" in layers.styles:
        return "diffusers-old"
    if "cascade" in layers.styles:
        return ""
    if layers.beside and layers.has("up_bias"):
        return "bfl-control"
    return "diffusers" if "kohya" in layers.styles else "peft-default-bare"
