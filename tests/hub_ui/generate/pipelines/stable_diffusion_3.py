"""Stable Diffusion 3 and 3.5 medium, whose first block attends twice."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "SD3Transformer2DModel", sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=3,
        attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=64,
        pooled_projection_dim=64, pos_embed_max_size=16, dual_attention_layers=(0,), qk_norm="rms_norm",
    )  # fmt: skip
    return {
        "transformer": transformer, "scheduler": flow(shift=3.0),
        "vae": encoders.vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        "text_encoder": encoders.clip(projection=True), "tokenizer": tokens.clip(),
        "text_encoder_2": encoders.clip(projection=True), "tokenizer_2": tokens.clip(),
        "text_encoder_3": encoders.t5(d_model=64), "tokenizer_3": tokens.t5(),
        "image_encoder": None, "feature_extractor": None,
    }  # fmt: skip


SD3 = Base(
    name="sd3",
    architecture="sd3",
    pipeline="StableDiffusion3Pipeline",
    parts=_parts,
    call={"height": 32, "width": 32, "guidance_scale": 4.0, "max_sequence_length": 24, "num_inference_steps": 1},
)
