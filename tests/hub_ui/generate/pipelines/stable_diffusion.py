"""Stable Diffusion 1, 2 and XL, and Kolors: UNets."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, save


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
    """Two text encoders, and the real one's layout: three levels of two layers, more transformer blocks deep down."""
    kind: Any = StableDiffusionXLPipeline
    unet = _unet(
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 1, 2), projection_class_embeddings_input_dim=80, cross_attention_dim=64,
        attention_head_dim=(2, 4, 4), block_out_channels=(8, 16, 32), layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    pipe = kind(
        vae=encoders.vae(), unet=unet, scheduler=_ddim(),
        text_encoder=encoders.clip(), tokenizer=tokens.clip(), text_encoder_2=encoders.clip(projection=True),
        tokenizer_2=tokens.clip(), add_watermarker=False,
    )  # fmt: skip
    return save(pipe, folder)


def save_kolors(folder: Path) -> Path:
    """Its tokenizer and its pipeline's public name need sentencepiece, so a call gets the text's embeddings instead."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # its text encoder uses torch.jit
        kind: Any = import_module("diffusers.pipelines.kolors.pipeline_kolors").KolorsPipeline
    unet = _unet(
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2), projection_class_embeddings_input_dim=80, cross_attention_dim=64,
        attention_head_dim=(2, 4), encoder_hid_dim=32, encoder_hid_dim_type="text_proj",
    )  # fmt: skip
    pipe = kind(
        vae=encoders.vae(), unet=unet, scheduler=_ddim(), text_encoder=None, tokenizer=None, image_encoder=None,
        feature_extractor=None,
    )  # fmt: skip
    return save(pipe, folder)


def _embeds() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(3)
    made = {
        f"{kind}prompt_embeds": torch.randn(1, 12, 32, generator=generator) for kind in ("", "negative_")
    }  # fmt: skip
    made |= {f"{kind}pooled_prompt_embeds": torch.randn(1, 32, generator=generator) for kind in ("", "negative_")}
    return made


SIZE = {"height": 32, "width": 32, "guidance_scale": 4.0}
SD1 = Base(architecture="sd1", pipeline="StableDiffusionPipeline", save=save_sd1, call=SIZE)
SD2 = Base(architecture="sd2", pipeline="StableDiffusionPipeline", save=save_sd2, call=SIZE)
SDXL = Base(architecture="sdxl", pipeline="StableDiffusionXLPipeline", save=save_sdxl, call=SIZE)
KOLORS = Base(
    architecture="sdxl",
    pipeline="pipelines.kolors.pipeline_kolors.KolorsPipeline",
    save=save_kolors,
    call={**SIZE, **_embeds(), "prompt": None},
    given={"text_encoder": None, "tokenizer": None},
)
