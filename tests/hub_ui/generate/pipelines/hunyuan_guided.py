"""HunyuanImage and HunyuanVideo 1.5: a Qwen2.5-VL and a ByT5 read their text, and a guider holds their guidance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import (
    AdaptiveProjectedMixGuidance,
    AutoencoderKLHunyuanImage,
    AutoencoderKLHunyuanVideo15,
    ClassifierFreeGuidance,
    FlowMatchEulerDiscreteScheduler,
    HunyuanImagePipeline,
    HunyuanImageTransformer2DModel,
    HunyuanVideo15Pipeline,
    HunyuanVideo15Transformer3DModel,
)
from transformers import ByT5Tokenizer

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, save

BYTES = 400  # as many as ByT5's vocabulary, at least


def save_hunyuan_image(folder: Path) -> Path:
    kind: Any = HunyuanImagePipeline
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    guider: Any = AdaptiveProjectedMixGuidance
    pipe = kind(
        vae=_image_vae(), text_encoder=language_models.qwen2_5_vl(), tokenizer=tokens.qwen2(2048),
        text_encoder_2=encoders.t5(vocab_size=BYTES), tokenizer_2=ByT5Tokenizer(), transformer=_image_transformer(),
        scheduler=scheduler(shift=7.0), guider=guider(adaptive_projected_guidance_start_step=1),
        ocr_guider=guider(adaptive_projected_guidance_start_step=3),
    )  # fmt: skip
    return save(pipe, folder)


def save_hunyuan_video_15(folder: Path) -> Path:
    kind: Any = HunyuanVideo15Pipeline
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    guider: Any = ClassifierFreeGuidance
    pipe = kind(
        vae=_video_vae(), text_encoder=language_models.qwen2_5_vl_text(), tokenizer=tokens.qwen2(2048),
        text_encoder_2=encoders.t5(vocab_size=BYTES), tokenizer_2=ByT5Tokenizer(), transformer=_video_transformer(),
        scheduler=scheduler(shift=7.0), guider=guider(guidance_scale=6.0),
    )  # fmt: skip
    return save(pipe, folder)


def _image_transformer() -> Any:
    kind: Any = HunyuanImageTransformer2DModel
    return kind(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16, num_layers=1, num_single_layers=1,
        num_refiner_layers=1, text_embed_dim=language_models.WIDTH, text_embed_2_dim=encoders.WIDTH,
        rope_axes_dim=(8, 8),
    )  # fmt: skip


def _video_transformer() -> Any:
    kind: Any = HunyuanVideo15Transformer3DModel
    return kind(
        in_channels=9, out_channels=4, num_attention_heads=2, attention_head_dim=16, num_layers=1, num_refiner_layers=1,
        text_embed_dim=language_models.WIDTH, text_embed_2_dim=encoders.WIDTH, image_embed_dim=12,
        rope_axes_dim=(4, 6, 6), target_size=32, task_type="t2v",
    )  # fmt: skip


def _image_vae() -> Any:
    kind: Any = AutoencoderKLHunyuanImage
    return kind(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(32, 32), layers_per_block=1,
        scaling_factor=0.5, spatial_compression_ratio=2, sample_size=32,
    )  # fmt: skip


def _video_vae() -> Any:
    kind: Any = AutoencoderKLHunyuanVideo15
    return kind(
        latent_channels=4, block_out_channels=(8, 8, 8), layers_per_block=1, spatial_compression_ratio=4,
        temporal_compression_ratio=4, downsample_match_channel=False, upsample_match_channel=False,
    )  # fmt: skip


CALL = {"height": 32, "width": 32}
HUNYUAN_IMAGE = Base(architecture="hunyuan-image", pipeline="HunyuanImagePipeline", save=save_hunyuan_image, call=CALL)
HUNYUAN_VIDEO_15 = Base(
    architecture="hunyuan-video-1.5",
    pipeline="HunyuanVideo15Pipeline",
    save=save_hunyuan_video_15,
    call={**CALL, "num_frames": 5},
)

DOUBLE = "transformer_blocks.0"
# HunyuanVideo 1.5 has these blocks only.
BLOCKS = (
    *(f"{DOUBLE}.attn.{part}" for part in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "to_add_out")),
    *(f"{DOUBLE}.{part}" for part in ("ff.net.0.proj", "ff.net.2", "ff_context.net.2", "norm1.linear")),
)
SINGLE = tuple(f"single_transformer_blocks.0.{part}" for part in ("attn.to_q", "attn.to_v", "proj_mlp", "proj_out"))
