"""Qwen-Image with a Qwen2.5-VL of two layers."""

from typing import Any

from tests.hub_ui.generate.pipelines import language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def vae() -> Any:
    """Krea 2 and Anima use it too."""
    return build(
        "AutoencoderKLQwenImage", base_dim=8, z_dim=4, dim_mult=[1, 1, 2], num_res_blocks=1,
        temperal_downsample=[False, True], latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip


def _parts() -> dict[str, Any]:
    transformer = build(
        "QwenImageTransformer2DModel", patch_size=2, in_channels=16, out_channels=4, num_layers=2,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=language_models.WIDTH,
        axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    return {
        "vae": vae(), "text_encoder": language_models.qwen2_5_vl(), "tokenizer": tokens.qwen2(),
        "transformer": transformer, "scheduler": flow(),
    }  # fmt: skip


CALL = {"height": 32, "width": 32, "negative_prompt": "blur", "true_cfg_scale": 2.0}
QWEN_IMAGE = Base(name="qwen_image", architecture="qwen-image", pipeline="QwenImagePipeline", parts=_parts, call=CALL)
