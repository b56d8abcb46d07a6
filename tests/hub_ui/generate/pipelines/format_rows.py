"""Formats of Stable Diffusion, PixArt, AuraFlow, CogView4, FLUX.1 and Chroma, and algorithms beyond plain factors."""

import re
from typing import Any

import torch

from tests.hub_ui.generate.pipelines.algorithms import LYCORIS, lycoris
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.files import (
    KOHYA,
    KOHYA_BARE,
    OLD,
    OLD_TEXT,
    PEFT,
    PEFT_ALPHA,
    PEFT_BIAS,
    PEFT_DEFAULT,
    PROCESSOR,
    XLABS,
    patterned,
    replacing,
    resized,
    together,
    varied,
)
from tests.hub_ui.generate.pipelines.frame import File
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
    rows,
)
from tests.hub_ui.generate.pipelines.spellings import Spelling, layers, of_clip, original, own, processors, sai

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


SD3_TEXT = parts(
    file(own("transformer", "transformer.", BLOCKS), PEFT),
    file(of_clip("text_encoder", "text_encoder."), PEFT),
    file(of_clip("text_encoder_2", "text_encoder_2."), PEFT),
)
SD3_WHOLE = parts(
    file(original("lora_unet_", layers("sd3.blocks", "sd3.outside")), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(of_clip("text_encoder_2", "lora_te2_"), KOHYA),
    file(own("text_encoder_3", "lora_te3_", T5), KOHYA),
)
ONETRAINER_OF_DITS = own("transformer", "lora_transformer_", BLOCKS)
SD3S = (
    *dit_rows("sd3"),
    *rows(
        "sd3",
        ("diffusers with text encoders", SD3_TEXT),
        ("kohya", file(original("lora_unet_", layers("sd3.blocks")), KOHYA, varied), SILENT),
        ("kohya with text encoders, every layer", SD3_WHOLE, SILENT),
        ("ai-toolkit", file(original("diffusion_model.", layers("sd3.blocks")), PEFT), SILENT),
        ("OneTrainer", file(ONETRAINER_OF_DITS, KOHYA), REFUSED),
    ),
)


NO_LOADER = "diffusers has no loader for this pipeline"
OTHERS = (
    *rows(
        "pixart",
        ("diffusers", file(own("transformer", "transformer."), PEFT), NO_LOADER),
        ("peft", file(own("transformer", "transformer.base_model.model.", BLOCKS), PEFT), NO_LOADER),
        ("OneTrainer", file(ONETRAINER_OF_DITS, KOHYA, varied), NO_LOADER),
        ("kohya", file(own("transformer", "lora_unet_", BLOCKS), KOHYA, varied), NO_LOADER),
    ),
    *dit_rows("auraflow"),
    *rows(
        "auraflow",
        ("ComfyUI", file(original("diffusion_model.", layers("auraflow.blocks")), PEFT), SILENT),
        ("kohya", file(original("lora_unet_", layers("auraflow.blocks")), KOHYA, varied), SILENT),
    ),
    *dit_rows("cogview4"),
)


def _kohya_flux(base: str) -> tuple[Row, ...]:
    whole = original("lora_unet_", layers("flux1.blocks", "flux1.linear1"))
    return rows(
        base,
        ("kohya without linear1", file(original("lora_unet_", layers("flux1.blocks")), KOHYA, varied)),
        ("kohya", file(whole, KOHYA, varied), REAL_SIZE),
    )


FLUX_NAMES = ("flux1.blocks", "flux1.linear1")
FLUX_TEXT = parts(
    file(original("lora_unet_", layers("flux1.blocks")), KOHYA), file(of_clip("text_encoder", "lora_te1_"), KOHYA)
)
COMFY_TEXT = parts(
    file(original("diffusion_model.", layers("flux1.blocks")), KOHYA),
    file(of_clip("text_encoder", "text_encoders.clip_l.transformer."), KOHYA),
)
COMFY_T5 = parts(COMFY_TEXT, file(own("text_encoder_2", "text_encoders.t5xxl.transformer.", T5), KOHYA))
FLUX_T5 = parts(FLUX_TEXT, file(own("text_encoder_2", "lora_te3_", T5), KOHYA))
ONETRAINER = file(own("transformer", "lora_transformer_", r"^(?!.*norm).*blocks.*attn"), KOHYA)
ONETRAINER_ALL = parts(
    file(own("transformer", "lora_transformer_", BLOCKS), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(own("text_encoder_2", "lora_te2_", T5), KOHYA),
)
OUTSIDE = file(original("lora_unet_", layers("flux1.outside")), KOHYA, varied)
OWN_NAMES = own("transformer", "transformer.", BLOCKS)
STABILISED = described(file(OWN_NAMES, PEFT), "transformer", rank_stabilised=True)
FAL = file(original("base_model.model.", layers(*FLUX_NAMES, "flux1.outside")), PEFT)
NO_T5 = "diffusers reads no LoRA for T5"
FLUXES = (
    *dit_rows("flux1 dev"),
    *_kohya_flux("flux1 dev"),
    *rows(
        "flux1 dev",
        ("kohya with CLIP", FLUX_TEXT),
        ("kohya with CLIP and T5", FLUX_T5, NO_T5),
        ("kohya, layers outside of blocks", OUTSIDE, "diffusers drops them, and the last layers' alpha"),
        ("ai-toolkit", file(original("diffusion_model.", layers(*FLUX_NAMES)), PEFT), SILENT),
        ("ComfyUI with kohya's endings", file(original("diffusion_model.", layers("flux1.blocks")), KOHYA_BARE)),
        ("ComfyUI with CLIP", COMFY_TEXT),
        ("ComfyUI with CLIP and T5", COMFY_T5, NO_T5),
        ("diffusers with kohya's endings", file(OWN_NAMES, KOHYA_BARE)),
        ("diffusers with metadata of a rank-stabilised LoRA", STABILISED),
        (
            "diffusers with ranks and alphas in patterns",
            lambda pipe, seed: patterned(pipe, OWN_NAMES(pipe), "transformer", seed),
        ),
        ("XLabs", file(original("", layers("xlabs.blocks")), XLABS)),
        ("XLabs with single blocks", file(original("", layers("xlabs.blocks", "xlabs.single")), XLABS)),
        ("OneTrainer", ONETRAINER),
        ("OneTrainer with text encoders", ONETRAINER_ALL, REFUSED),
        ("diffusers with alpha", file(OWN_NAMES, PEFT_ALPHA, varied)),
        ("diffusers, every layer", file(own("transformer", "transformer."), PEFT)),
    ),
    *dit_rows("flux1 schnell")[:1],
    *_kohya_flux("flux1 schnell"),
    *dit_rows("flux1 Kontext")[:1],
    *_kohya_flux("flux1 Kontext"),
    *rows("flux1 Kontext", ("fal", FAL, REAL_SIZE)),
    *dit_rows("chroma"),
    *_kohya_flux("chroma"),
    *rows(
        "chroma",
        ("ai-toolkit", file(original("diffusion_model.", layers(*FLUX_NAMES, "chroma.outside")), PEFT), SILENT),
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


def widen(pipe: Any) -> Any:
    """By hand what a control LoRA asks for: a first layer of twice the inputs, the new ones without effect as yet."""
    narrow = pipe.transformer.x_embedder
    wide = torch.nn.Linear(2 * narrow.in_features, narrow.out_features)
    with torch.no_grad():
        wide.weight.copy_(torch.cat([narrow.weight, torch.zeros_like(narrow.weight)], dim=1))
        wide.bias.copy_(narrow.bias)
    pipe.transformer.x_embedder = wide
    pipe.transformer.register_to_config(in_channels=wide.in_features)
    return pipe


def control_of_diffusers(wide: Any, seed: int) -> File:
    """As diffusers' script trains it. `wide` has the widened first layer."""
    return file(own("transformer", "transformer.", r"^x_embedder|attn|ff\."), PEFT)(wide, seed)


def control_of_bfl(wide: Any, seed: int) -> File:
    """As Black Forest Labs have published theirs: biases, and norms that take the place of the base's."""
    whole = file(original("", layers(*FLUX_NAMES, "flux1.outside")), PEFT_BIAS)(wide, seed)
    return together(whole, replacing(wide, "transformer", _norms(), seed))


WORKED_OUT = "diffusers reads plain factors only; alpha / rank once is what LyCORIS trains with and ComfyUI applies"


def _trained_by_lycoris(base: str, spelling: Spelling, algorithm: str, whose: str = "") -> Row:
    def make(pipe: Any, seed: int) -> File:
        return lycoris(pipe, spelling(pipe), LYCORIS[algorithm], seed)

    return Row(base=TINY[base], name=whose + algorithm, make=make, alone=WORKED_OUT)


CONVOLUTIONS = r"attentions|resnets|samplers"
ALGORITHMS = (
    *(_trained_by_lycoris("sd1", own("unet", "lora_unet_", CONVOLUTIONS), algorithm) for algorithm in LYCORIS),
    *(
        _trained_by_lycoris("sdxl", sai(wanted=r"mid_block|up_blocks\.0.*(resnets|to_q)"), algorithm)
        for algorithm in ("LoHa with a core", "LoKr", "LoCon with a core", "DoRA", "OFT")
    ),
    *(
        _trained_by_lycoris("flux1 dev", original("lora_unet_", layers(*FLUX_NAMES)), algorithm)
        for algorithm in ("LoHa", "LoKr", "LoKr whole", "DoRA", "full")
    ),
    # kohya's own OFT has another first word.
    _trained_by_lycoris("sdxl", sai("oft_unet_", r"mid_block.*attentions"), "OFT held back", "kohya's "),
)
