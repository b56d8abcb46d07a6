"""LTX-Video with a T5."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "LTXVideoTransformer3DModel", in_channels=8, out_channels=8, num_attention_heads=2, attention_head_dim=16,
        cross_attention_dim=32, num_layers=1, caption_channels=encoders.WIDTH,
    )  # fmt: skip
    vae = build(
        "AutoencoderKLLTXVideo", latent_channels=8, block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        layers_per_block=(1, 1, 1), decoder_layers_per_block=(1, 1, 1), spatio_temporal_scaling=(True, True),
        patch_size=1, patch_size_t=1, decoder_spatio_temporal_scaling=(True, True),
        decoder_inject_noise=(False, False, False), upsample_residual=(False, False), upsample_factor=(1, 1),
        down_block_types=("LTXVideoDownBlock3D",) * 2,
    )  # fmt: skip
    return {
        "vae": vae, "text_encoder": encoders.t5(), "tokenizer": tokens.t5(), "transformer": transformer,
        "scheduler": flow(),
    }  # fmt: skip


CALL = {
    "height": 32, "width": 32, "num_frames": 9, "negative_prompt": "blur", "guidance_scale": 3.0,
    "max_sequence_length": 24,
}  # fmt: skip
LTX_VIDEO = Base(name="ltx_video", architecture="ltx-video", pipeline="LTXPipeline", parts=_parts, call=CALL)
