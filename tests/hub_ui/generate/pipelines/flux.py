"""FLUX.1 (dev, schnell, Kontext, Control) and Chroma. Two blocks of each kind, 32 wide."""

from functools import partial
from typing import Any

import torch
from PIL import Image

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow

SHAPE: dict[str, Any] = {
    "patch_size": 1, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 32, "axes_dims_rope": (4, 4, 8), "in_channels": 4,
}  # fmt: skip
NO_EYES: dict[str, Any] = {"image_encoder": None, "feature_extractor": None}


def _shared() -> dict[str, Any]:
    """One channel of latents: FLUX packs two by two of them into one token of four."""
    vae = encoders.vae(1, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5)
    return {"vae": vae, "scheduler": flow()}


def control_parts(**fields: Any) -> dict[str, Any]:
    shape = {**SHAPE, "pooled_projection_dim": 32, "guidance_embeds": True, **fields}
    return {
        **_shared(), "transformer": build("FluxTransformer2DModel", **shape), "text_encoder": encoders.clip(),
        "tokenizer": tokens.clip(), "text_encoder_2": encoders.t5(), "tokenizer_2": tokens.t5(),
    }  # fmt: skip


def flux_parts(**fields: Any) -> dict[str, Any]:
    return {**control_parts(**fields), **NO_EYES}


def _chroma() -> dict[str, Any]:
    transformer = build(
        "ChromaTransformer2DModel", **SHAPE, approximator_hidden_dim=32, approximator_layers=1,
        approximator_num_channels=16,
    )  # fmt: skip
    return {
        **_shared(), **NO_EYES, "transformer": transformer, "text_encoder": encoders.t5(), "tokenizer": tokens.t5(),
    }  # fmt: skip


def widen(pipe: Any) -> Any:
    """By hand what a control LoRA asks for: a first layer of twice the inputs, the new ones without effect as yet."""
    narrow = pipe.transformer.x_embedder
    wide = torch.nn.Linear(2 * narrow.in_features, narrow.out_features)
    with torch.no_grad():
        wide.weight.copy_(torch.cat([narrow.weight, torch.zeros_like(narrow.weight)], dim=1))
        wide.bias.copy_(narrow.bias)
    pipe.transformer.x_embedder = wide
    pipe.transformer.register_to_config(in_channels=wide.in_features)
    return pipe


def _picture() -> Image.Image:
    return Image.linear_gradient("L").resize((32, 32)).convert("RGB")


SIZE = {"height": 32, "width": 32, "guidance_scale": 3.5, "max_sequence_length": 24}
ONE_STEP = {**SIZE, "num_inference_steps": 1}
DEV = Base(name="flux1 dev", architecture="flux1", pipeline="FluxPipeline", parts=flux_parts, call=SIZE)
# It takes no guidance: the embedder of it is missing.
SCHNELL = Base(
    name="flux1 schnell",
    architecture="flux1",
    pipeline="FluxPipeline",
    parts=partial(flux_parts, guidance_embeds=False),
    call=ONE_STEP,
)
KONTEXT = Base(
    name="flux1 Kontext",
    architecture="flux1",
    pipeline="FluxKontextPipeline",
    parts=flux_parts,
    call={**ONE_STEP, "image": _picture(), "max_area": 32 * 32, "_auto_resize": False},
)
# A plain FLUX.1 [dev] in the pipeline with an input for a control picture: the LoRA widens its first layer.
CONTROL = Base(
    name="flux1 control",
    architecture="flux1",
    pipeline="FluxControlPipeline",
    parts=control_parts,
    # The first noise is given: reading the control picture takes from the same generator.
    call={**ONE_STEP, "control_image": _picture(), "latents": torch.randn(1, 64, 4, generator=torch.Generator())},
)
# The same network without the control picture: what a control LoRA of weight 0 draws.
UNSTEERED = Base(
    name="flux1 control",
    architecture="flux1",
    pipeline="FluxPipeline",
    parts=control_parts,
    call={key: value for key, value in CONTROL.call.items() if key != "control_image"},
)
CHROMA = Base(
    name="chroma",
    architecture="chroma",
    pipeline="ChromaPipeline",
    parts=_chroma,
    call={**ONE_STEP, "negative_prompt": "a dog"},
)
