"""Wan 2.1 (text to video, image to video) and 2.2 with its two transformers, one for each half of the noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, save


def save_wan_21(folder: Path) -> Path:
    kind: Any = WanPipeline
    return save(kind(**_parts(), transformer=_transformer()), folder)


def save_wan_22(folder: Path) -> Path:
    kind: Any = WanPipeline
    return save(
        kind(**_parts(), transformer=_transformer(), transformer_2=_transformer(), boundary_ratio=0.8), folder
    )  # fmt: skip


def save_wan_i2v(folder: Path) -> Path:
    kind: Any = WanImageToVideoPipeline
    config: Any = CLIPVisionConfig
    processor: Any = CLIPImageProcessorPil
    eye = CLIPVisionModelWithProjection(
        config(
            hidden_size=16, projection_dim=16, num_hidden_layers=2, num_attention_heads=2, image_size=32,
            intermediate_size=16, patch_size=16,
        )
    )  # fmt: skip
    pipe = kind(
        **_parts(), transformer=_transformer(in_channels=12, image_dim=16, added_kv_proj_dim=32), image_encoder=eye,
        image_processor=processor(crop_size=32, size=32),
    )  # fmt: skip
    return save(pipe, folder)


def _parts() -> dict[str, Any]:
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    return {"vae": _vae(), "text_encoder": encoders.umt5(), "tokenizer": tokens.t5(), "scheduler": scheduler()}


def _transformer(**fields: Any) -> Any:
    kind: Any = WanTransformer3DModel
    values: dict[str, Any] = {
        "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 4,
        "out_channels": 4, "text_dim": encoders.WIDTH, "freq_dim": 32, "ffn_dim": 64, "num_layers": 1,
        "cross_attn_norm": True, "rope_max_seq_len": 32,
    }  # fmt: skip
    return kind(**{**values, **fields})


def _vae() -> Any:
    kind: Any = AutoencoderKLWan
    return kind(
        base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip


# With two steps the last one is at the very end of the noise and changes nothing; the second of three is in the middle.
CALL: dict[str, Any] = {
    "height": 32, "width": 32, "num_frames": 5, "guidance_scale": 3.0, "num_inference_steps": 3,
    "negative_prompt": "blur", "max_sequence_length": 24,
}  # fmt: skip
PICTURE: dict[str, Any] = {"image": Image.new("RGB", (32, 32), "orange")}
WAN_21 = Base(architecture="wan", pipeline="WanPipeline", save=save_wan_21, call=CALL)
WAN_22 = Base(architecture="wan", pipeline="WanPipeline", save=save_wan_22, call=CALL)
WAN_I2V = Base(architecture="wan", pipeline="WanImageToVideoPipeline", save=save_wan_i2v, call={**CALL, **PICTURE})

PARTS = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}
ORIGINAL = {
    f"blocks.0.{mine}.{part}": (f"blocks.0.{theirs}.{module}",)
    for mine, theirs in (("self_attn", "attn1"), ("cross_attn", "attn2"))
    for part, module in PARTS.items()
} | {"blocks.0.ffn.0": ("blocks.0.ffn.net.0.proj",), "blocks.0.ffn.2": ("blocks.0.ffn.net.2",)}
AROUND = {
    "time_embedding.0": ("condition_embedder.time_embedder.linear_1",),
    "time_embedding.2": ("condition_embedder.time_embedder.linear_2",),
    "time_projection.1": ("condition_embedder.time_proj",),
    "text_embedding.0": ("condition_embedder.text_embedder.linear_1",),
    "text_embedding.2": ("condition_embedder.text_embedder.linear_2",),
    "head.head": ("proj_out",),
}
IMAGE = {
    "blocks.0.cross_attn.k_img": ("blocks.0.attn2.add_k_proj",),
    "blocks.0.cross_attn.v_img": ("blocks.0.attn2.add_v_proj",),
}
NORMS = {
    "blocks.0.norm3": "blocks.0.norm2",
    "blocks.0.self_attn.norm_q": "blocks.0.attn1.norm_q",
    "blocks.0.self_attn.norm_k": "blocks.0.attn1.norm_k",
    "blocks.0.cross_attn.norm_q": "blocks.0.attn2.norm_q",
}
BLOCKS = tuple(module for modules in ORIGINAL.values() for module in modules)
