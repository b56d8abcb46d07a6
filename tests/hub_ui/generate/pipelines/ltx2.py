"""LTX-2: a Gemma 3 reads its text, and one transformer makes a clip and its sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2Pipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from diffusers.pipelines.ltx2.vocoder import LTX2Vocoder

from tests.hub_ui.generate.pipelines import language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, save

MEL_BINS = 8


def save_ltx2(folder: Path) -> Path:
    kind: Any = LTX2Pipeline
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    pipe = kind(
        vae=_vae(), audio_vae=_audio_vae(), text_encoder=language_models.gemma3(), tokenizer=tokens.gemma(24),
        connectors=_connectors(), transformer=_transformer(), vocoder=_vocoder(), scheduler=scheduler(),
    )  # fmt: skip
    return save(pipe, folder)


def _transformer() -> Any:
    kind: Any = LTX2VideoTransformer3DModel
    return kind(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16, cross_attention_dim=32,
        audio_in_channels=4, audio_out_channels=4, audio_num_attention_heads=2, audio_attention_head_dim=8,
        audio_cross_attention_dim=16, num_layers=1, caption_channels=language_models.WIDTH, rope_type="split",
    )  # fmt: skip


def _connectors() -> Any:
    kind: Any = LTX2TextConnectors
    width: dict[str, Any] = {
        f"{stream}_connector_{field}": value
        for stream in ("video", "audio")
        for field, value in {
            "num_attention_heads": 2,
            "attention_head_dim": 8,
            "num_layers": 1,
            "num_learnable_registers": None,
        }.items()
    }
    # The text encoder's two layers and its embeddings.
    return kind(caption_channels=language_models.WIDTH, text_proj_in_factor=3, rope_type="split", **width)


def _vae() -> Any:
    kind: Any = AutoencoderKLLTX2Video
    two = (True, True)
    return kind(
        latent_channels=4, block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1), spatio_temporal_scaling=two, decoder_spatio_temporal_scaling=two,
        decoder_inject_noise=(False, False, False), downsample_type=("spatiotemporal",) * 2, upsample_factor=(1, 1),
        upsample_type=("spatiotemporal",) * 2, upsample_residual=(False, False), patch_size=1, patch_size_t=1,
        down_block_types=("LTX2VideoDownBlock3D",) * 2,
    )  # fmt: skip


def _audio_vae() -> Any:
    kind: Any = AutoencoderKLLTX2Audio
    return kind(base_channels=4, ch_mult=(1,), num_res_blocks=1, resolution=32, latent_channels=2, mel_bins=MEL_BINS)


def _vocoder() -> Any:
    kind: Any = LTX2Vocoder
    return kind(
        in_channels=2 * MEL_BINS, hidden_channels=16, upsample_kernel_sizes=[4, 4], upsample_factors=[2, 2],
        resnet_kernel_sizes=[3], resnet_dilations=[[1, 3, 5]],
    )  # fmt: skip


CALL = {"height": 32, "width": 32, "num_frames": 5, "guidance_scale": 3.0, "max_sequence_length": 24}
LTX_2 = Base(architecture="ltx-video-2", pipeline="LTX2Pipeline", save=save_ltx2, call=CALL)
BLOCKS = tuple(
    f"transformer_blocks.0.{module}"
    for module in (
        *(
            f"{attention}.{part}"
            for attention in ("attn1", "attn2", "audio_attn1", "audio_attn2", "audio_to_video_attn")
            for part in ("to_q", "to_k", "to_v", "to_out.0")
        ),
        "ff.net.0.proj",
        "ff.net.2",
        "audio_ff.net.2",
    )
)
