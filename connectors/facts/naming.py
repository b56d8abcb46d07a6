"""Naming formats: who wrote a LoRA file, by the beginnings of its layers' names, and what each layer is called without.

The same layer is `lora_unet_double_blocks_0_img_attn_qkv` to kohya, `diffusion_model.double_blocks.0.img_attn.qkv` to
ai-toolkit. Here both become `double_blocks_0_img_attn_qkv`, so that one rule about an architecture holds for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    Prefix(text="unet:", format="cloneofsimo"),
)
BARE = Prefix(text="", format="")
_TWO_PREFIXES = frozenset(prefix.text[:2] for prefix in PREFIXES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """`model` and `encoders` map plain layer names to the names in the file."""

    model: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    prefixes: frozenset[Prefix] = frozenset()


def name(layers: Iterable[str]) -> Named:
    model: dict[str, str] = {}
    encoders: dict[str, str] = {}
    found: set[Prefix] = set()
    last = BARE
    for layer in layers:
        # Most layers of a file begin like the one before.
        if not last.text or not layer.startswith(last.text) or last.text == "lora_te":
            last = prefix_of(layer)
            found.add(last)
        target = encoders if last.encoder else model
        plain = layer[len(last.text) :]
        if "." in plain:
            # Attention processors of early diffusers and of XLabs patch the layer they stand in.
            plain = plain.replace(".processor.", ".").replace(".", "_")
        target[plain] = layer
    return Named(model=model, encoders=encoders, prefixes=frozenset(found))


def prefix_of(layer: str) -> Prefix:
    if layer[:2] not in _TWO_PREFIXES:
        return BARE
    return next((prefix for prefix in PREFIXES if layer.startswith(prefix.text)), BARE)


def format_of(named: Named, layers: Layers) -> str | None:
    """The format in the words of the catalog; a file of two formats names both, joined by "+"."""
    found = {_format(prefix, layers) for prefix in named.prefixes if not prefix.encoder or not named.model}
    return "+".join(sorted(found)) or None


def _format(prefix: Prefix, layers: Layers) -> str:
    if "xlabs" in layers.styles:
        return "xlabs"
    if "cloneofsimo" in layers.styles:
        return "cloneofsimo"
    if prefix is BARE:
        return _bare(layers)
    if prefix.format == "diffusers" and layers.styles & {"old", "processor"}:
        return "diffusers-old"
    return prefix.format


def _bare(layers: Layers) -> str:
    """Names without a beginning: by the endings, or a control LoRA of Black Forest Labs, which has norms beside it."""
    if "processor" in layers.styles:
        return "diffusers-attn-procs"
    if "old" in layers.styles:
        return "diffusers-old"
    if layers.beside and layers.has("up_bias"):
        return "bfl-control"
    return "diffusers" if "kohya" in layers.styles else "peft-default-bare"
