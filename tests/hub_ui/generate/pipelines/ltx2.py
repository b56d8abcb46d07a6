"""LTX-2 and 2.3: a Gemma 3 reads their text, and one transformer makes a clip and its sound.

In 2.3 a gate follows each attention, the prompt has a modulation of its own, and the connectors make one text for the
picture and one for the sound.
"""

from functools import partial
from typing import Any

from tests.hub_ui.generate.pipelines import language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow

MEL_BINS = 8


def _parts(*, is_23: bool) -> dict[str, Any]:
    newer = {"gated_attn", "cross_attn_mod", "audio_gated_attn", "audio_cross_attn_mod", "perturbed_attn"}
    transformer = build(
        "LTX2VideoTransformer3DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        cross_attention_dim=32, audio_in_channels=4, audio_out_channels=4, audio_num_attention_heads=2,
        audio_attention_head_dim=8, audio_cross_attention_dim=16, num_layers=1, caption_channels=language_models.WIDTH,
        rope_type="split", **dict.fromkeys(newer if is_23 else (), True), use_prompt_embeddings=not is_23,
    )  # fmt: skip
    vae = build(
        "AutoencoderKLLTX2Video", latent_channels=4, block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        layers_per_block=(1, 1, 1), decoder_layers_per_block=(1, 1, 1), spatio_temporal_scaling=(True, True),
        decoder_spatio_temporal_scaling=(True, True), decoder_inject_noise=(False, False, False),
        downsample_type=("spatiotemporal",) * 2, upsample_factor=(1, 1), upsample_type=("spatiotemporal",) * 2,
        upsample_residual=(False, False), patch_size=1, patch_size_t=1, down_block_types=("LTX2VideoDownBlock3D",) * 2,
    )  # fmt: skip
    audio_vae = build(
        "AutoencoderKLLTX2Audio", base_channels=4, ch_mult=(1,), num_res_blocks=1, resolution=32, latent_channels=2,
        mel_bins=MEL_BINS,
    )  # fmt: skip
    sound: dict[str, Any] = {"in_channels": 2 * MEL_BINS, "hidden_channels": 16, "upsample_kernel_sizes": [4, 4]}
    sound |= {"upsample_factors": [2, 2], "resnet_kernel_sizes": [3], "resnet_dilations": [[1, 3, 5]]}
    if is_23:
        wider = {f"bwe_{name}": value for name, value in sound.items()}
        # Three times the samples of a second.
        wider |= {"bwe_upsample_kernel_sizes": [12, 4], "bwe_upsample_factors": [6, 2]}
        sound |= {**wider, "num_mel_channels": MEL_BINS, "filter_length": 16, "hop_length": 4, "window_length": 16}
    vocoder = build(f"pipelines.ltx2.LTX2Vocoder{'WithBWE' if is_23 else ''}", **sound)
    return {
        "vae": vae, "audio_vae": audio_vae, "text_encoder": language_models.gemma3(), "tokenizer": tokens.gemma(24),
        "connectors": _connectors(is_23), "transformer": transformer, "vocoder": vocoder, "scheduler": flow(),
    }  # fmt: skip


def _connectors(is_23: bool) -> Any:
    """The text encoder's two layers and its embeddings are three factors."""
    fields = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1, "num_learnable_registers": None}
    both = {f"{stream}_connector_{name}": value for stream in ("video", "audio") for name, value in fields.items()}
    if is_23:
        both |= {"per_modality_projections": True, "video_hidden_dim": 32, "audio_hidden_dim": 16, "proj_bias": True}
        both |= {"video_gated_attn": True, "audio_gated_attn": True, "video_connector_attention_head_dim": 16}
    return build(
        "pipelines.ltx2.LTX2TextConnectors", caption_channels=language_models.WIDTH, text_proj_in_factor=3,
        rope_type="split", **both,
    )  # fmt: skip


CALL = {"height": 32, "width": 32, "num_frames": 5, "guidance_scale": 3.0, "max_sequence_length": 24}
LTX_2 = Base(
    name="ltx2", architecture="ltx-video-2", pipeline="LTX2Pipeline", parts=partial(_parts, is_23=False), call=CALL
)
LTX_23 = Base(
    name="ltx23", architecture="ltx-video-2", pipeline="LTX2Pipeline", parts=partial(_parts, is_23=True), call=CALL
)
