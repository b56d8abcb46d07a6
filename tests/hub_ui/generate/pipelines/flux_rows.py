"""Formats of FLUX.1 and Chroma, and of FLUX.1's control LoRAs."""

from typing import Any

import torch

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
from tests.hub_ui.generate.pipelines.spellings import layers, of_clip, original, own


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
