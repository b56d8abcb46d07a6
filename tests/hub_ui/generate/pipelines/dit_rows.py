"""Formats of Stable Diffusion 3, PixArt, AuraFlow and CogView4."""

from __future__ import annotations

from tests.hub_ui.generate.pipelines import dits, stable_diffusion_3
from tests.hub_ui.generate.pipelines.files import KOHYA, PEFT, varied
from tests.hub_ui.generate.pipelines.rows import BLOCKS, REFUSED, SILENT, T5, Row, dit_rows, file, parts
from tests.hub_ui.generate.pipelines.spellings import (
    AURAFLOW,
    SD3_BLOCKS,
    SD3_OUTSIDE,
    dotted,
    of_clip,
    original,
    underscored,
)

SD3 = stable_diffusion_3.SD3
SD3S = (
    *dit_rows(SD3, "sd3"),
    Row(
        base=SD3,
        name="sd3 diffusers with text encoders",
        make=parts(
            file(dotted("transformer", "transformer.", BLOCKS), PEFT),
            file(of_clip("text_encoder", "text_encoder.", "."), PEFT),
            file(of_clip("text_encoder_2", "text_encoder_2.", "."), PEFT),
        ),
    ),
    Row(
        base=SD3,
        name="sd3 kohya",
        make=file(original("lora_unet_", SD3_BLOCKS, between="_"), KOHYA, varied),
        alone=SILENT,
    ),
    Row(
        base=SD3,
        name="sd3 kohya with text encoders, every layer",
        make=parts(
            file(original("lora_unet_", SD3_BLOCKS, SD3_OUTSIDE, between="_"), KOHYA),
            file(of_clip("text_encoder", "lora_te1_"), KOHYA),
            file(of_clip("text_encoder_2", "lora_te2_"), KOHYA),
            file(underscored("text_encoder_3", "lora_te3_", T5), KOHYA),
        ),
        alone=SILENT,
    ),
    Row(
        base=SD3,
        name="sd3 ai-toolkit",
        make=file(original("diffusion_model.", SD3_BLOCKS), PEFT),
        alone=SILENT,
    ),
    Row(
        base=SD3,
        name="sd3 OneTrainer",
        make=file(underscored("transformer", "lora_transformer_", BLOCKS), KOHYA),
        alone=REFUSED,
    ),
)


PIXART, AURA, COGVIEW4 = dits.PIXART, dits.AURAFLOW, dits.COGVIEW4
NO_LOADER = "diffusers has no loader for this pipeline"
OTHERS = (
    Row(
        base=PIXART,
        name="pixart diffusers",
        make=file(dotted("transformer", "transformer."), PEFT),
        alone=NO_LOADER,
    ),
    Row(
        base=PIXART,
        name="pixart peft",
        make=file(dotted("transformer", "transformer.base_model.model.", BLOCKS), PEFT),
        alone=NO_LOADER,
    ),
    Row(
        base=PIXART,
        name="pixart OneTrainer",
        make=file(underscored("transformer", "lora_transformer_", BLOCKS), KOHYA, varied),
        alone=NO_LOADER,
    ),
    Row(
        base=PIXART,
        name="pixart kohya",
        make=file(underscored("transformer", "lora_unet_", BLOCKS), KOHYA, varied),
        alone=NO_LOADER,
    ),
    *dit_rows(AURA, "auraflow"),
    Row(
        base=AURA,
        name="auraflow ComfyUI",
        make=file(original("diffusion_model.", AURAFLOW), PEFT),
        alone=SILENT,
    ),
    Row(
        base=AURA,
        name="auraflow kohya",
        make=file(original("lora_unet_", AURAFLOW, between="_"), KOHYA, varied),
        alone=SILENT,
    ),
    *dit_rows(COGVIEW4, "cogview4"),
)
