"""Stable Diffusion 1, 2 and XL, and Kolors: UNets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import (
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from tests.hub_ui.preview.pipelines import encoders, tokens
from tests.hub_ui.preview.pipelines.frame import Base, save


def _unet(**fields: Any) -> Any:
    unet: Any = UNet2DConditionModel
    values: dict[str, Any] = {
        "sample_size": 16, "block_out_channels": (16, 32), "layers_per_block": 1, "cross_attention_dim": 32,
        "attention_head_dim": 4, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "norm_num_groups": 4,
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }  # fmt: skip
    return unet(**{**values, **fields})


def _ddim() -> Any:
    scheduler: Any = DDIMScheduler
    return scheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1
    )


def _save_sd(folder: Path, unet: Any) -> Path:
    kind: Any = StableDiffusionPipeline
    pipe = kind(
        vae=encoders.vae(), text_encoder=encoders.clip(), tokenizer=tokens.clip(), unet=unet, scheduler=_ddim(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    return save(pipe, folder)


def save_sd1(folder: Path) -> Path:
    return _save_sd(folder, _unet())


def save_sd2(folder: Path) -> Path:
    """proj_in and proj_out are linear layers here."""
    return _save_sd(folder, _unet(use_linear_projection=True))


def save_sdxl(folder: Path) -> Path:
    """Two text encoders, two transformer blocks in an attention."""
    kind: Any = StableDiffusionXLPipeline
    unet = _unet(
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2), projection_class_embeddings_input_dim=80, cross_attention_dim=64,
        attention_head_dim=(2, 4),
    )  # fmt: skip
    pipe = kind(
        vae=encoders.vae(), unet=unet, scheduler=_ddim(),
        text_encoder=encoders.clip(), tokenizer=tokens.clip(), text_encoder_2=encoders.clip(projection=True),
        tokenizer_2=tokens.clip(), add_watermarker=False,
    )  # fmt: skip
    return save(pipe, folder)


SIZE = {"height": 32, "width": 32, "guidance_scale": 4.0}
SD1 = Base(architecture="sd1", pipeline="StableDiffusionPipeline", save=save_sd1, call=SIZE)
SD2 = Base(architecture="sd2", pipeline="StableDiffusionPipeline", save=save_sd2, call=SIZE)
SDXL = Base(architecture="sdxl", pipeline="StableDiffusionXLPipeline", save=save_sdxl, call=SIZE)
