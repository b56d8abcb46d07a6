"""Sana: linear attention, convolutions in the feed-forward part, text from a Gemma 2."""

from typing import Any

from tests.hub_ui.generate.pipelines import language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "SanaTransformer2DModel", patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=16, num_cross_attention_heads=2, cross_attention_head_dim=16, cross_attention_dim=32,
        sample_size=16, caption_channels=language_models.WIDTH,
    )  # fmt: skip
    blocks: dict[str, Any] = {
        "block_types": ("ResBlock", "EfficientViTBlock"), "block_out_channels": (8, 8), "qkv_multiscales": ((), (5,)),
        "layers_per_block": (1, 1),
    }  # fmt: skip
    both = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in blocks.items()}
    vae = build(
        "AutoencoderDC", in_channels=3, latent_channels=4, attention_head_dim=2, downsample_block_type="conv",
        scaling_factor=0.41, upsample_block_type="interpolate", decoder_norm_types="rms_norm", decoder_act_fns="silu",
        **both,
    )  # fmt: skip
    return {
        "vae": vae, "text_encoder": language_models.gemma2(), "tokenizer": tokens.gemma(), "transformer": transformer,
        "scheduler": flow(),
    }  # fmt: skip


CALL = {
    "height": 32, "width": 32, "negative_prompt": "blur", "guidance_scale": 3.0, "max_sequence_length": 32,
    "complex_human_instruction": None, "use_resolution_binning": False,
}  # fmt: skip
SANA = Base(name="sana", architecture="sana", pipeline="SanaPipeline", parts=_parts, call=CALL)
