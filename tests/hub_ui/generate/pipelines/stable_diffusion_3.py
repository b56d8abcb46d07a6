"""Stable Diffusion 3 and 3.5 medium, whose first block attends twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, save


def save_sd3(folder: Path) -> Path:
    network: Any = SD3Transformer2DModel
    kind: Any = StableDiffusion3Pipeline
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    transformer = network(
        sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=3, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=64, pooled_projection_dim=64,
        pos_embed_max_size=16, dual_attention_layers=(0,), qk_norm="rms_norm",
    )  # fmt: skip
    pipe = kind(
        transformer=transformer, vae=encoders.vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        text_encoder=encoders.clip(projection=True), tokenizer=tokens.clip(),
        text_encoder_2=encoders.clip(projection=True), tokenizer_2=tokens.clip(),
        text_encoder_3=encoders.t5(d_model=64), tokenizer_3=tokens.t5(), scheduler=scheduler(shift=3.0),
        image_encoder=None, feature_extractor=None,
    )  # fmt: skip
    return save(pipe, folder)


SD3 = Base(
    architecture="sd3",
    pipeline="StableDiffusion3Pipeline",
    save=save_sd3,
    call={"height": 32, "width": 32, "guidance_scale": 4.0, "max_sequence_length": 24, "num_inference_steps": 1},
)
