"""Formats of Stable Diffusion 1, 2 and XL, and of Kolors."""

import re

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
from tests.hub_ui.generate.pipelines.rows import REFUSED, SILENT, Row, described, file, parts, rows
from tests.hub_ui.generate.pipelines.spellings import of_clip, own, processors, sai

ATTENTION = r"attentions"
# SDXL has many layers; a part of them is enough where another row has all.
DEEP = r"(down_blocks\.2|mid_block|up_blocks\.1).*attentions"
EVERY = r"attentions|resnets|samplers|conv_|embedding"
ONE_ALPHA = "diffusers gives a UNet's attention the file's commonest alpha, since it names the others wrongly"


def _unet_rows(base: str, wanted: str = ATTENTION) -> tuple[Row, ...]:
    peft, kohya = file(own("unet", "unet.", wanted), PEFT), own("unet", "lora_unet_", wanted)
    with_convolutions = own("unet", "lora_unet_", r"attentions|resnets|samplers")
    return rows(
        base,
        ("kohya", file(kohya, KOHYA, resized)),
        ("kohya with convolutions", file(with_convolutions, KOHYA, resized)),
        ("kohya with several alphas", file(kohya, KOHYA, varied), ONE_ALPHA),
        ("diffusers", peft),
        ("diffusers with metadata", described(peft, "unet")),
        ("diffusers of 2023", file(own("unet", "unet.", r"attn[12]\."), OLD)),
        ("attention processors", file(processors("unet."), PROCESSOR)),
        ("attention processors without unet", file(processors(""), PROCESSOR), SILENT),
        ("peft", file(own("unet", "base_model.model.", wanted), PEFT), SILENT),
        ("bare names", file(own("unet", "", wanted), PEFT_DEFAULT), SILENT),
    )


# Where the text encoders are in question, a few layers of the network will do.
MIDDLE = r"mid_block.*attn"
SD_TEXT = parts(file(own("unet", "lora_unet_", MIDDLE), KOHYA), file(of_clip("text_encoder", "lora_te_"), KOHYA))
SD_TEXT_PEFT = parts(
    file(own("unet", "unet.", MIDDLE), PEFT),
    file(of_clip("text_encoder", "text_encoder."), PEFT),
)
SD_TEXT_OLD = parts(
    file(own("unet", "unet.", MIDDLE), OLD),
    file(of_clip("text_encoder", "text_encoder."), OLD_TEXT),
)
SDXL_TEXT = parts(
    file(sai(wanted=MIDDLE), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(of_clip("text_encoder_2", "lora_te2_"), KOHYA),
)
SDXL_TEXT_METADATA = parts(
    described(file(own("unet", "unet.", MIDDLE), PEFT), "unet"),
    described(file(of_clip("text_encoder", "text_encoder."), PEFT), "text_encoder"),
    described(file(of_clip("text_encoder_2", "text_encoder_2."), PEFT), "text_encoder_2"),
)
SDXL_TEXT_PEFT = parts(
    file(own("unet", "unet.", MIDDLE), PEFT),
    file(of_clip("text_encoder", "text_encoder."), PEFT),
    file(of_clip("text_encoder_2", "text_encoder_2."), PEFT),
)

UNETS = (
    *_unet_rows("sd1"),
    *rows(
        "sd1",
        ("kohya with text encoder", SD_TEXT),
        ("diffusers with text encoder", SD_TEXT_PEFT),
        ("diffusers of 2023 with text encoder", SD_TEXT_OLD),
        ("kohya in Stability's names", file(sai(), KOHYA, resized), REFUSED),
    ),
    *_unet_rows("sd2")[:4],
    *rows("sd2", ("kohya with text encoder", SD_TEXT)),
    *(row for row in _unet_rows("sdxl", DEEP) if not re.search(r"2023|processors|convolutions|metadata", row.name)),
    *rows(
        "sdxl",
        ("kohya in Stability's names, every layer", file(sai(wanted=EVERY), KOHYA, resized)),
        ("kohya with text encoders", SDXL_TEXT),
        ("diffusers with text encoders", SDXL_TEXT_PEFT),
        ("diffusers with text encoders and metadata", SDXL_TEXT_METADATA),
        (
            "diffusers with ranks and alphas in patterns",
            lambda pipe, seed: patterned(pipe, own("unet", "unet.", DEEP)(pipe), "unet", seed),
        ),
        ("ai-toolkit", file(sai("diffusion_model.", DEEP), KOHYA), SILENT),
    ),
    *rows(
        "kolors",
        ("kohya", file(sai(), KOHYA, resized), REFUSED),
        ("kohya in diffusers' names", file(own("unet", "lora_unet_", ATTENTION), KOHYA, resized)),
        ("diffusers", file(own("unet", "unet.", ATTENTION), PEFT)),
    ),
)
