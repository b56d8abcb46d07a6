"""Formats of FLUX.1 and Chroma, and of FLUX.1's control LoRAs."""

from __future__ import annotations

from typing import Any

from tests.hub_ui.generate.pipelines import flux
from tests.hub_ui.generate.pipelines.files import (
    KOHYA,
    KOHYA_BARE,
    PEFT,
    PEFT_ALPHA,
    PEFT_BIAS,
    XLABS,
    patterned,
    replacing,
    together,
    varied,
)
from tests.hub_ui.generate.pipelines.frame import Base, File
from tests.hub_ui.generate.pipelines.rows import (
    BLOCKS,
    REAL_SIZE,
    REFUSED,
    SILENT,
    T5,
    Row,
    described,
    dit_rows,
    file,
    parts,
)
from tests.hub_ui.generate.pipelines.spellings import (
    CHROMA_OUTSIDE,
    FLUX_BLOCKS,
    FLUX_LINEAR1,
    FLUX_OUTSIDE,
    XLABS_SINGLE,
    dotted,
    of_clip,
    original,
    underscored,
)
from tests.hub_ui.generate.pipelines.spellings import XLABS as XLABS_BLOCKS

DEV, SCHNELL, KONTEXT, CONTROL, CHROMA = (
    getattr(flux, name) for name in ("DEV", "SCHNELL", "KONTEXT", "CONTROL", "CHROMA")
)


def _kohya_flux(base: Base, name: str) -> tuple[Row, ...]:
    whole = original("lora_unet_", FLUX_BLOCKS, FLUX_LINEAR1, between="_")
    return (
        Row(
            base=base,
            name=f"{name} kohya without linear1",
            make=file(original("lora_unet_", FLUX_BLOCKS, between="_"), KOHYA, varied),
        ),
        Row(base=base, name=f"{name} kohya", make=file(whole, KOHYA, varied), alone=REAL_SIZE),
    )


FLUX_NAMES = (FLUX_BLOCKS, FLUX_LINEAR1)
FLUX_TEXT = parts(
    file(original("lora_unet_", FLUX_BLOCKS, between="_"), KOHYA), file(of_clip("text_encoder", "lora_te1_"), KOHYA)
)
COMFY_TEXT = parts(
    file(original("diffusion_model.", FLUX_BLOCKS), KOHYA),
    file(of_clip("text_encoder", "text_encoders.clip_l.transformer.", "."), KOHYA),
)
COMFY_T5 = parts(COMFY_TEXT, file(dotted("text_encoder_2", "text_encoders.t5xxl.transformer.", T5), KOHYA))
FLUX_T5 = parts(FLUX_TEXT, file(underscored("text_encoder_2", "lora_te3_", T5), KOHYA))
ONETRAINER = file(underscored("transformer", "lora_transformer_", r"^(?!.*norm).*blocks.*attn"), KOHYA)
ONETRAINER_ALL = parts(
    file(underscored("transformer", "lora_transformer_", BLOCKS), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(underscored("text_encoder_2", "lora_te2_", T5), KOHYA),
)
FLUXES = (
    *dit_rows(DEV, "flux1 dev"),
    *_kohya_flux(DEV, "flux1 dev"),
    Row(base=DEV, name="flux1 dev kohya with CLIP", make=FLUX_TEXT),
    Row(base=DEV, name="flux1 dev kohya with CLIP and T5", make=FLUX_T5, alone="diffusers reads no LoRA for T5"),
    Row(
        base=DEV,
        name="flux1 dev kohya, layers outside of blocks",
        make=file(original("lora_unet_", FLUX_OUTSIDE, between="_"), KOHYA, varied),
        alone="diffusers drops them, and the last layers' alpha",
    ),
    Row(
        base=DEV,
        name="flux1 dev ai-toolkit",
        make=file(original("diffusion_model.", *FLUX_NAMES), PEFT),
        alone=SILENT,
    ),
    Row(
        base=DEV,
        name="flux1 dev ComfyUI with kohya's endings",
        make=file(original("diffusion_model.", FLUX_BLOCKS), KOHYA_BARE),
    ),
    Row(base=DEV, name="flux1 dev ComfyUI with CLIP", make=COMFY_TEXT),
    Row(base=DEV, name="flux1 dev ComfyUI with CLIP and T5", make=COMFY_T5, alone="diffusers reads no LoRA for T5"),
    Row(
        base=DEV,
        name="flux1 dev diffusers with kohya's endings",
        make=file(dotted("transformer", "transformer.", BLOCKS), KOHYA_BARE),
    ),
    Row(
        base=DEV,
        name="flux1 dev diffusers with metadata of a rank-stabilised LoRA",
        make=described(file(dotted("transformer", "transformer.", BLOCKS), PEFT), "transformer", rank_stabilised=True),
    ),
    Row(
        base=DEV,
        name="flux1 dev diffusers with ranks and alphas in patterns",
        make=lambda pipe, seed: patterned(
            pipe, dotted("transformer", "transformer.", BLOCKS)(pipe), "transformer", seed
        ),
    ),
    Row(base=DEV, name="flux1 dev XLabs", make=file(original("", XLABS_BLOCKS), XLABS)),
    Row(
        base=DEV, name="flux1 dev XLabs with single blocks", make=file(original("", XLABS_BLOCKS, XLABS_SINGLE), XLABS)
    ),
    Row(base=DEV, name="flux1 dev OneTrainer", make=ONETRAINER),
    Row(base=DEV, name="flux1 dev OneTrainer with text encoders", make=ONETRAINER_ALL, alone=REFUSED),
    Row(
        base=DEV,
        name="flux1 dev diffusers with alpha",
        make=file(dotted("transformer", "transformer.", BLOCKS), PEFT_ALPHA, varied),
    ),
    Row(
        base=DEV,
        name="flux1 dev diffusers, every layer",
        make=file(dotted("transformer", "transformer."), PEFT),
    ),
    *dit_rows(SCHNELL, "flux1 schnell")[:1],
    *_kohya_flux(SCHNELL, "flux1 schnell"),
    *dit_rows(KONTEXT, "flux1 Kontext")[:1],
    *_kohya_flux(KONTEXT, "flux1 Kontext"),
    Row(
        base=KONTEXT,
        name="flux1 Kontext fal",
        make=file(original("base_model.model.", *FLUX_NAMES, FLUX_OUTSIDE), PEFT),
        alone=REAL_SIZE,
    ),
    *dit_rows(CHROMA, "chroma"),
    *_kohya_flux(CHROMA, "chroma"),
    Row(
        base=CHROMA,
        name="chroma ai-toolkit",
        make=file(original("diffusion_model.", *FLUX_NAMES, CHROMA_OUTSIDE), PEFT),
        alone=SILENT,
    ),
)


def _norms() -> dict[str, str]:
    """Name in the file -> parameter: how long queries and keys are."""
    named: dict[str, str] = {}
    for i in range(2):
        for which in ("query", "key"):
            norm = f"norm.{which}_norm.scale"
            named |= {
                f"double_blocks.{i}.img_attn.{norm}": f"transformer_blocks.{i}.attn.norm_{which[0]}.weight",
                f"double_blocks.{i}.txt_attn.{norm}": f"transformer_blocks.{i}.attn.norm_added_{which[0]}.weight",
                f"single_blocks.{i}.{norm}": f"single_transformer_blocks.{i}.attn.norm_{which[0]}.weight",
            }
    return named


def control_of_diffusers(wide: Any, seed: int) -> File:
    """As diffusers' script trains it. `wide` has the widened first layer."""
    return file(dotted("transformer", "transformer.", r"^x_embedder|attn|ff\."), PEFT)(wide, seed)


def control_of_bfl(wide: Any, seed: int) -> File:
    """As Black Forest Labs have published theirs: biases, and norms that take the place of the base's."""
    layers = file(original("", *FLUX_NAMES, FLUX_OUTSIDE), PEFT_BIAS)(wide, seed)
    return together(layers, replacing(wide, "transformer", _norms(), seed))
