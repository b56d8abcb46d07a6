"""FLUX.1 (dev, schnell, Kontext, Control) and Chroma. Two blocks of each kind, 32 wide."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from PIL import Image

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, save

SHAPE: dict[str, Any] = {
    "patch_size": 1, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 32, "axes_dims_rope": (4, 4, 8), "in_channels": 4,
}  # fmt: skip


def _vae() -> Any:
    """One channel of latents: FLUX packs two by two of them into one token of four."""
    return encoders.vae(1, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5)


def _scheduler() -> Any:
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    return scheduler()


def save_flux(folder: Path, pipeline: str, **fields: Any) -> Path:
    network: Any = FluxTransformer2DModel
    extra = {} if pipeline == "FluxControlPipeline" else {"image_encoder": None, "feature_extractor": None}
    pipe = getattr(diffusers, pipeline)(
        transformer=network(**{**SHAPE, "pooled_projection_dim": 32, "guidance_embeds": True, **fields}), vae=_vae(),
        text_encoder=encoders.clip(), tokenizer=tokens.clip(), text_encoder_2=encoders.t5(), tokenizer_2=tokens.t5(),
        scheduler=_scheduler(), **extra,
    )  # fmt: skip
    return save(pipe, folder)


def save_dev(folder: Path) -> Path:
    return save_flux(folder, "FluxPipeline")


def save_schnell(folder: Path) -> Path:
    """Takes no guidance: the embedder of it is missing."""
    return save_flux(folder, "FluxPipeline", guidance_embeds=False)


def save_kontext(folder: Path) -> Path:
    return save_flux(folder, "FluxKontextPipeline")


def save_control(folder: Path) -> Path:
    """A plain FLUX.1 [dev] in the pipeline with an input for a control picture: the LoRA widens its first layer."""
    return save_flux(folder, "FluxControlPipeline")


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


def save_chroma(folder: Path) -> Path:
    network: Any = ChromaTransformer2DModel
    kind: Any = diffusers.ChromaPipeline
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # it uses what diffusers itself deprecates
        transformer = network(
        **SHAPE, approximator_hidden_dim=32, approximator_layers=1, approximator_num_channels=16
    )  # fmt: skip
    pipe = kind(
        transformer=transformer, vae=_vae(), text_encoder=encoders.t5(), tokenizer=tokens.t5(), scheduler=_scheduler(),
        image_encoder=None, feature_extractor=None,
    )  # fmt: skip
    return save(pipe, folder)


def _picture() -> Image.Image:
    return Image.linear_gradient("L").resize((32, 32)).convert("RGB")


SIZE = {"height": 32, "width": 32, "guidance_scale": 3.5, "max_sequence_length": 24}
ONE_STEP = {**SIZE, "num_inference_steps": 1}
DEV = Base(architecture="flux1", pipeline="FluxPipeline", save=save_dev, call=SIZE)
SCHNELL = Base(architecture="flux1", pipeline="FluxPipeline", save=save_schnell, call=ONE_STEP)
KONTEXT = Base(
    architecture="flux1",
    pipeline="FluxKontextPipeline",
    save=save_kontext,
    call={**ONE_STEP, "image": _picture(), "max_area": 32 * 32, "_auto_resize": False},
)
CONTROL = Base(
    architecture="flux1",
    pipeline="FluxControlPipeline",
    save=save_control,
    # The first noise is given: reading the control picture takes from the same generator.
    call={**ONE_STEP, "control_image": _picture(), "latents": torch.randn(1, 64, 4, generator=torch.Generator())},
)
# The same network without the control picture: what a control LoRA of weight 0 draws.
UNSTEERED = Base(
    architecture="flux1",
    pipeline="FluxPipeline",
    save=save_control,
    call={key: value for key, value in CONTROL.call.items() if key != "control_image"},
)
CHROMA = Base(
    architecture="chroma", pipeline="ChromaPipeline", save=save_chroma, call={**ONE_STEP, "negative_prompt": "a dog"}
)
