"""Stable Diffusion 1, 2 and XL, and Kolors: UNets."""

from functools import partial
from typing import Any

import torch

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build


def ddim() -> Any:
    return build(
        "DDIMScheduler", beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False,
        steps_offset=1,
    )  # fmt: skip


def unet(**fields: Any) -> Any:
    values: dict[str, Any] = {
        "sample_size": 16, "block_out_channels": (16, 32), "layers_per_block": 1, "cross_attention_dim": 32,
        "attention_head_dim": 4, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "norm_num_groups": 4,
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }  # fmt: skip
    return build("UNet2DConditionModel", **{**values, **fields})


def _shared(**fields: Any) -> dict[str, Any]:
    return {"vae": encoders.vae(), "unet": unet(**fields), "scheduler": ddim()}


def _sd(**fields: Any) -> dict[str, Any]:
    return {
        **_shared(**fields), "text_encoder": encoders.clip(), "tokenizer": tokens.clip(), "safety_checker": None,
        "feature_extractor": None, "requires_safety_checker": False,
    }  # fmt: skip


DEEP: dict[str, Any] = {
    "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 80, "cross_attention_dim": 64,
}  # fmt: skip


def _sdxl() -> dict[str, Any]:
    """Two text encoders, and the real one's layout: three levels of two layers, more transformer blocks deep down."""
    shared = _shared(
        **DEEP, transformer_layers_per_block=(1, 1, 2), attention_head_dim=(2, 4, 4), block_out_channels=(8, 16, 32),
        layers_per_block=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    return {
        **shared, "text_encoder": encoders.clip(), "tokenizer": tokens.clip(), "tokenizer_2": tokens.clip(),
        "text_encoder_2": encoders.clip(projection=True), "add_watermarker": False,
    }  # fmt: skip


def _kolors() -> dict[str, Any]:
    """Its tokenizer and its pipeline's public name need sentencepiece, so a call gets the text's embeddings instead."""
    shared = _shared(
        **DEEP, transformer_layers_per_block=(1, 2), attention_head_dim=(2, 4), encoder_hid_dim=32,
        encoder_hid_dim_type="text_proj",
    )  # fmt: skip
    missing = ("text_encoder", "tokenizer", "image_encoder", "feature_extractor")
    return {**shared, **dict.fromkeys(missing)}


def _embeds() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(3)
    made = {
        f"{kind}prompt_embeds": torch.randn(1, 12, 32, generator=generator) for kind in ("", "negative_")
    }  # fmt: skip
    made |= {f"{kind}pooled_prompt_embeds": torch.randn(1, 32, generator=generator) for kind in ("", "negative_")}
    return made


SIZE = {"height": 32, "width": 32, "guidance_scale": 4.0}
SD1 = Base(name="sd1", architecture="sd1", pipeline="StableDiffusionPipeline", parts=_sd, call=SIZE)
# proj_in and proj_out are linear layers here.
SD2 = Base(
    name="sd2",
    architecture="sd2",
    pipeline="StableDiffusionPipeline",
    parts=partial(_sd, use_linear_projection=True),
    call=SIZE,
)
SDXL = Base(name="sdxl", architecture="sdxl", pipeline="StableDiffusionXLPipeline", parts=_sdxl, call=SIZE)
KOLORS = Base(
    name="kolors",
    architecture="sdxl",
    pipeline="pipelines.kolors.pipeline_kolors.KolorsPipeline",
    parts=_kolors,
    call={**SIZE, **_embeds(), "prompt": None},
    given={"text_encoder": None, "tokenizer": None},
)
