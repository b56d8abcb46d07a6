"""HunyuanImage and HunyuanVideo 1.5: a Qwen2.5-VL and a ByT5 read their text, and a guider holds their guidance."""

from typing import Any

from transformers import ByT5Tokenizer

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow

BYTES = 400  # as many as ByT5's vocabulary, at least


def _shared() -> dict[str, Any]:
    return {
        "tokenizer": tokens.qwen2(2048), "scheduler": flow(shift=7.0),
        "text_encoder_2": encoders.t5(vocab_size=BYTES), "tokenizer_2": ByT5Tokenizer(),
    }  # fmt: skip


def _image() -> dict[str, Any]:
    transformer = build(
        "HunyuanImageTransformer2DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        num_layers=1, num_single_layers=1, num_refiner_layers=1, text_embed_dim=language_models.WIDTH,
        text_embed_2_dim=encoders.WIDTH, rope_axes_dim=(8, 8),
    )  # fmt: skip
    vae = build(
        "AutoencoderKLHunyuanImage", in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(32, 32),
        layers_per_block=1, scaling_factor=0.5, spatial_compression_ratio=2, sample_size=32,
    )  # fmt: skip
    guider, ocr_guider = (
        build("AdaptiveProjectedMixGuidance", adaptive_projected_guidance_start_step=step) for step in (1, 3)
    )
    return {
        **_shared(), "vae": vae, "text_encoder": language_models.qwen2_5_vl(), "transformer": transformer,
        "guider": guider, "ocr_guider": ocr_guider,
    }  # fmt: skip


def _video() -> dict[str, Any]:
    transformer = build(
        "HunyuanVideo15Transformer3DModel", in_channels=9, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        num_layers=1, num_refiner_layers=1, text_embed_dim=language_models.WIDTH, text_embed_2_dim=encoders.WIDTH,
        image_embed_dim=12, rope_axes_dim=(4, 6, 6), target_size=32, task_type="t2v",
    )  # fmt: skip
    vae = build(
        "AutoencoderKLHunyuanVideo15", latent_channels=4, block_out_channels=(8, 8, 8), layers_per_block=1,
        spatial_compression_ratio=4, temporal_compression_ratio=4, downsample_match_channel=False,
        upsample_match_channel=False,
    )  # fmt: skip
    return {
        **_shared(), "vae": vae, "text_encoder": language_models.qwen2_5_vl_text(), "transformer": transformer,
        "guider": build("ClassifierFreeGuidance", guidance_scale=6.0),
    }  # fmt: skip


CALL = {"height": 32, "width": 32}
HUNYUAN_IMAGE = Base(
    name="hunyuan_image", architecture="hunyuan-image", pipeline="HunyuanImagePipeline", parts=_image, call=CALL
)
HUNYUAN_VIDEO_15 = Base(
    name="hunyuan_video_15",
    architecture="hunyuan-video-1.5",
    pipeline="HunyuanVideo15Pipeline",
    parts=_video,
    call={**CALL, "num_frames": 5},
)
