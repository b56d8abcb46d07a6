"""Formats of Stable Diffusion 1, 2 and XL, and of Kolors."""

from __future__ import annotations

import re

from tests.hub_ui.generate.pipelines import stable_diffusion
from tests.hub_ui.generate.pipelines.files import (
    KOHYA,
    OLD,
    OLD_TEXT,
    PEFT,
    PEFT_DEFAULT,
    PROCESSOR,
    patterned,
    resized,
    varied,
)
from tests.hub_ui.generate.pipelines.frame import Base
from tests.hub_ui.generate.pipelines.rows import REFUSED, SILENT, Row, described, file, parts
from tests.hub_ui.generate.pipelines.spellings import dotted, of_clip, processors, sai, underscored

ATTENTION = r"attentions"
# SDXL has many layers; a part of them is enough where another row has all.
DEEP = r"(down_blocks\.2|mid_block|up_blocks\.1).*attentions"
ONE_ALPHA = "diffusers gives a UNet's attention the file's commonest alpha, since it names the others wrongly"


def _unet_rows(base: Base, name: str, wanted: str = ATTENTION) -> tuple[Row, ...]:
    peft = file(dotted("unet", "unet.", wanted), PEFT)
    return (
        Row(base=base, name=f"{name} kohya", make=file(underscored("unet", "lora_unet_", wanted), KOHYA, resized)),
        Row(
            base=base,
            name=f"{name} kohya with convolutions",
            make=file(underscored("unet", "lora_unet_", r"attentions|resnets|samplers"), KOHYA, resized),
        ),
        Row(
            base=base,
            name=f"{name} kohya with several alphas",
            make=file(underscored("unet", "lora_unet_", wanted), KOHYA, varied),
            alone=ONE_ALPHA,
        ),
        Row(base=base, name=f"{name} diffusers", make=peft),
        Row(base=base, name=f"{name} diffusers with metadata", make=described(peft, "unet")),
        Row(
            base=base,
            name=f"{name} diffusers of 2023",
            make=file(dotted("unet", "unet.", r"attn[12]\."), OLD),
        ),
        Row(base=base, name=f"{name} attention processors", make=file(processors("unet."), PROCESSOR)),
        Row(
            base=base,
            name=f"{name} attention processors without unet",
            make=file(processors(""), PROCESSOR),
            alone=SILENT,
        ),
        Row(
            base=base,
            name=f"{name} peft",
            make=file(dotted("unet", "base_model.model.", wanted), PEFT),
            alone=SILENT,
        ),
        Row(
            base=base,
            name=f"{name} bare names",
            make=file(dotted("unet", "", wanted), PEFT_DEFAULT),
            alone=SILENT,
        ),
    )


# Where the text encoders are in question, a few layers of the network will do.
MIDDLE = r"mid_block.*attn"
SD_TEXT = parts(
    file(underscored("unet", "lora_unet_", MIDDLE), KOHYA), file(of_clip("text_encoder", "lora_te_"), KOHYA)
)
SD_TEXT_PEFT = parts(
    file(dotted("unet", "unet.", MIDDLE), PEFT),
    file(of_clip("text_encoder", "text_encoder.", "."), PEFT),
)
SD_TEXT_OLD = parts(
    file(dotted("unet", "unet.", MIDDLE), OLD),
    file(of_clip("text_encoder", "text_encoder.", "."), OLD_TEXT),
)
SDXL_TEXT = parts(
    file(sai(wanted=MIDDLE), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(of_clip("text_encoder_2", "lora_te2_"), KOHYA),
)
SDXL_TEXT_METADATA = parts(
    described(file(dotted("unet", "unet.", MIDDLE), PEFT), "unet"),
    described(file(of_clip("text_encoder", "text_encoder.", "."), PEFT), "text_encoder"),
    described(file(of_clip("text_encoder_2", "text_encoder_2.", "."), PEFT), "text_encoder_2"),
)
SDXL_TEXT_PEFT = parts(
    file(dotted("unet", "unet.", MIDDLE), PEFT),
    file(of_clip("text_encoder", "text_encoder.", "."), PEFT),
    file(of_clip("text_encoder_2", "text_encoder_2.", "."), PEFT),
)

SD1, SD2, SDXL, KOLORS = (getattr(stable_diffusion, name) for name in ("SD1", "SD2", "SDXL", "KOLORS"))
UNETS = (
    *_unet_rows(SD1, "sd1"),
    Row(base=SD1, name="sd1 kohya with text encoder", make=SD_TEXT),
    Row(base=SD1, name="sd1 diffusers with text encoder", make=SD_TEXT_PEFT),
    Row(base=SD1, name="sd1 diffusers of 2023 with text encoder", make=SD_TEXT_OLD),
    Row(base=SD1, name="sd1 kohya in Stability's names", make=file(sai(), KOHYA, resized), alone=REFUSED),
    *_unet_rows(SD2, "sd2")[:4],
    Row(base=SD2, name="sd2 kohya with text encoder", make=SD_TEXT),
    *(
        row
        for row in _unet_rows(SDXL, "sdxl", DEEP)
        if not re.search(r"2023|processors|convolutions|metadata", row.name)
    ),
    Row(
        base=SDXL,
        name="sdxl kohya in Stability's names, every layer",
        make=file(sai(wanted=r"attentions|resnets|samplers|conv_|embedding"), KOHYA, resized),
    ),
    Row(base=SDXL, name="sdxl kohya with text encoders", make=SDXL_TEXT),
    Row(base=SDXL, name="sdxl diffusers with text encoders", make=SDXL_TEXT_PEFT),
    Row(base=SDXL, name="sdxl diffusers with text encoders and metadata", make=SDXL_TEXT_METADATA),
    Row(
        base=SDXL,
        name="sdxl diffusers with ranks and alphas in patterns",
        make=lambda pipe, seed: patterned(pipe, dotted("unet", "unet.", DEEP)(pipe), "unet", seed),
    ),
    Row(
        base=SDXL,
        name="sdxl ai-toolkit",
        make=file(sai("diffusion_model.", DEEP, between="."), KOHYA),
        alone=SILENT,
    ),
    Row(base=KOLORS, name="kolors kohya", make=file(sai(), KOHYA, resized), alone=REFUSED),
    Row(
        base=KOLORS,
        name="kolors kohya in diffusers' names",
        make=file(underscored("unet", "lora_unet_", ATTENTION), KOHYA, resized),
    ),
    Row(base=KOLORS, name="kolors diffusers", make=file(dotted("unet", "unet.", ATTENTION), PEFT)),
)
