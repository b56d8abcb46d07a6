"""Wan 2.1 (text to video, image to video) and 2.2 with its two transformers, one for each half of the noise."""

from typing import Any

from PIL import Image
from transformers import CLIPImageProcessorPil

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _wan_21(**fields: Any) -> dict[str, Any]:
    vae = build(
        "AutoencoderKLWan", base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
        temperal_downsample=[False, True, True], latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    return {
        "vae": vae, "text_encoder": encoders.umt5(), "tokenizer": tokens.t5(), "transformer": _transformer(**fields),
        "scheduler": flow(),
    }  # fmt: skip


def _wan_22() -> dict[str, Any]:
    return {**_wan_21(), "transformer_2": _transformer(), "boundary_ratio": 0.8}


def _wan_i2v() -> dict[str, Any]:
    processor: Any = CLIPImageProcessorPil
    eye = encoders.of_transformers(
        "CLIPVisionModelWithProjection", hidden_size=16, projection_dim=16, num_hidden_layers=2, num_attention_heads=2,
        image_size=32, intermediate_size=16, patch_size=16,
    )  # fmt: skip
    parts = _wan_21(in_channels=12, image_dim=16, added_kv_proj_dim=32)
    return {**parts, "image_encoder": eye, "image_processor": processor(crop_size=32, size=32)}


def _transformer(**fields: Any) -> Any:
    values: dict[str, Any] = {
        "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 4,
        "out_channels": 4, "text_dim": encoders.WIDTH, "freq_dim": 32, "ffn_dim": 64, "num_layers": 1,
        "cross_attn_norm": True, "rope_max_seq_len": 32,
    }  # fmt: skip
    return build("WanTransformer3DModel", **{**values, **fields})


# With two steps the last one is at the very end of the noise and changes nothing; the second of three is in the middle.
CALL: dict[str, Any] = {
    "height": 32, "width": 32, "num_frames": 5, "guidance_scale": 3.0, "num_inference_steps": 3,
    "negative_prompt": "blur", "max_sequence_length": 24,
}  # fmt: skip
I2V_CALL = {**CALL, "image": Image.new("RGB", (32, 32), "orange")}
WAN_21 = Base(name="wan_21", architecture="wan", pipeline="WanPipeline", parts=_wan_21, call=CALL)
WAN_22 = Base(name="wan_22", architecture="wan", pipeline="WanPipeline", parts=_wan_22, call=CALL)
WAN_I2V = Base(name="wan_i2v", architecture="wan", pipeline="WanImageToVideoPipeline", parts=_wan_i2v, call=I2V_CALL)
