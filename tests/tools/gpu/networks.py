"""Networks of real sizes with random weights: as quick to make as their memory can be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file

from tests.tools.gpu.card import Card

_NOISE = 1 << 24
# The published configurations of stable-diffusion-xl-base-1.0.
SDXL_UNET: dict[str, Any] = {
    "sample_size": 128, "in_channels": 4, "out_channels": 4, "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2, "cross_attention_dim": 2048, "attention_head_dim": (5, 10, 20),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10), "use_linear_projection": True, "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
_VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 1024,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
SDXL_VAE: dict[str, Any] = {**_VAE, "latent_channels": 4, "scaling_factor": 0.13025}
# Of FLUX.1 dev: the defaults of the class, and guidance as an input.
FLUX_TRANSFORMER: dict[str, Any] = {"guidance_embeds": True}
FLUX_VAE: dict[str, Any] = {
    **_VAE, "latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": False,
    "use_post_quant_conv": False,
}  # fmt: skip


def materialised(kind: Any, config: dict[str, Any], device: str, dtype: torch.dtype) -> Any:
    """A network of class `kind`, shaped without memory and filled where it will run."""
    with torch.device("meta"):
        network = kind(**config)
    network = network.to(dtype).to_empty(device=device)
    return filled(network.eval(), device, dtype)


def filled(network: Any, device: str, dtype: torch.dtype) -> Any:
    """One piece of seeded noise for all layers, scaled so that what a network makes of noise stays of its size."""
    noise = torch.randn(_NOISE, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    with torch.no_grad():
        for module in network.modules():
            for name, value in module.named_parameters(recurse=False):
                if value.dim() < 2:
                    value.fill_(1.0 if name == "weight" else 0.0)
                    continue
                scale = 0.5 / (value[0].numel() ** 0.5)
                flat = value.view(-1)
                for start in range(0, flat.numel(), _NOISE):
                    piece = flat[start : start + _NOISE]
                    piece.copy_(noise[: piece.numel()]).mul_(scale)
            for name, value in module.named_buffers(recurse=False):
                # Position tables that a network computes of its configuration; they are none of what is measured.
                if value.is_floating_point():
                    value.fill_(1.0 if name == "weight" else 0.0)
    return network


def sdxl(device: str, dtype: torch.dtype, unet: dict[str, Any] | None = None, vae: dict[str, Any] | None = None) -> Any:
    """Without text encoders: it is called with embeddings."""
    kind: Any = StableDiffusionXLPipeline
    scheduler: Any = EulerDiscreteScheduler
    pipe = kind(
        vae=materialised(AutoencoderKL, vae or SDXL_VAE, device, dtype), text_encoder=None, text_encoder_2=None,
        tokenizer=None, tokenizer_2=None, unet=materialised(UNet2DConditionModel, unet or SDXL_UNET, device, dtype),
        scheduler=scheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1),
        force_zeros_for_empty_prompt=True, add_watermarker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


def flux(
    device: str, dtype: torch.dtype, transformer: dict[str, Any] | None = None, vae: dict[str, Any] | None = None
) -> Any:
    """Without text encoders: it is called with embeddings."""
    kind: Any = FluxPipeline
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    pipe = kind(
        scheduler=scheduler(use_dynamic_shifting=True, shift=3.0), text_encoder=None, tokenizer=None,
        text_encoder_2=None, tokenizer_2=None, vae=materialised(AutoencoderKL, vae or FLUX_VAE, device, dtype),
        transformer=materialised(FluxTransformer2DModel, transformer or FLUX_TRANSFORMER, device, dtype),
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


def network_of(pipe: Any) -> Any:
    return getattr(pipe, "transformer", None) or pipe.unet


def call(pipe: Any, card: Card, *, size: int, steps: int, images: int = 1, decode: bool = False) -> Any:
    """One call for some images from the same noise, with embeddings that stand for prompts."""
    network = network_of(pipe)
    dtype, config = next(network.parameters()).dtype, network.config
    is_flux = hasattr(pipe, "transformer")
    wide = config.joint_attention_dim if is_flux else config.cross_attention_dim
    words = 512 if is_flux else 77
    pooled = (
        config.pooled_projection_dim
        if is_flux
        else config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    )
    given: dict[str, Any] = {
        "prompt_embeds": torch.ones(images, words, wide), "pooled_prompt_embeds": torch.ones(images, pooled),
    }  # fmt: skip
    if not is_flux:
        given |= {f"negative_{name}": torch.zeros_like(value) for name, value in given.items()}
    with torch.inference_mode():
        return pipe(
            **{name: value.to(card.kind, dtype) for name, value in given.items()}, height=size, width=size,
            num_inference_steps=steps, guidance_scale=3.5 if is_flux else 7.0, return_dict=False,
            output_type="pt" if decode else "latent",
            generator=[torch.Generator().manual_seed(7) for _ in range(images)],
        )[0]  # fmt: skip


def lora(path: Path, pipe: Any, *, rank: int, convolutions: bool = False, seed: int = 1) -> Path:
    """For a UNet, in kohya's form and half precision: its attention, with `convolutions` every layer of its blocks."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, weight in pipe.unet.named_parameters():
        layer, key = name.removesuffix(".weight"), f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}"
        attention = ".attn" in name and weight.dim() == 2
        if name.endswith(".weight") and (attention or (convolutions and weight.dim() > 1 and "block" in layer)):
            window = weight.shape[2:]
            tensors[f"{key}.lora_down.weight"] = _small(generator, rank, *weight.shape[1:])
            tensors[f"{key}.lora_up.weight"] = _small(generator, weight.shape[0], rank, *(1 for _ in window))
            tensors[f"{key}.alpha"] = torch.tensor(float(rank))
    save_file(tensors, path)
    return path


def _small(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return (torch.randn(shape, generator=generator) * 0.02).half()
