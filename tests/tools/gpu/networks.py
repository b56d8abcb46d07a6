"""Networks of real sizes with random weights: as quick to make as their memory can be written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.hub_ui.generate.pipelines.frame import build, flow
from tests.tools.accuracy.real_models import MODELS
from tests.tools.gpu.card import Card

_NOISE = 1 << 24
# The published configurations of stable-diffusion-xl-base-1.0 and of FLUX.1 dev.
Values = Mapping[str, Any]
SDXL_UNET, FLUX_TRANSFORMER = (MODELS[name][part][1] for name, part in (("sdxl", "unet"), ("flux1", "transformer")))
_VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 1024,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
SDXL_VAE: dict[str, Any] = {**_VAE, "latent_channels": 4, "scaling_factor": 0.13025}
FLUX_VAE: dict[str, Any] = {
    **_VAE, "latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": False,
    "use_post_quant_conv": False,
}  # fmt: skip


def materialised(name: str, config: Values, device: str, dtype: torch.dtype) -> Any:
    """A network of that class of diffusers, shaped without memory and filled where it will run."""
    with torch.device("meta"):
        network = build(name, **config)
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


def sdxl(device: str, dtype: torch.dtype, unet: Values = SDXL_UNET, vae: Values = SDXL_VAE) -> Any:
    return _without_text(
        "StableDiffusionXLPipeline", vae=materialised("AutoencoderKL", vae, device, dtype),
        unet=materialised("UNet2DConditionModel", unet, device, dtype), force_zeros_for_empty_prompt=True,
        scheduler=build(
            "EulerDiscreteScheduler", beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1
        ),
        add_watermarker=False,
    )  # fmt: skip


def flux(device: str, dtype: torch.dtype, transformer: Values = FLUX_TRANSFORMER, vae: Values = FLUX_VAE) -> Any:
    return _without_text(
        "FluxPipeline", vae=materialised("AutoencoderKL", vae, device, dtype),
        transformer=materialised("FluxTransformer2DModel", transformer, device, dtype),
        scheduler=flow(use_dynamic_shifting=True, shift=3.0),
    )  # fmt: skip


def _without_text(name: str, **parts: Any) -> Any:
    """It is called with embeddings."""
    missing = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
    pipe = build(name, **dict.fromkeys(missing), **parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def call(pipe: Any, card: Card, *, size: int, steps: int, images: int = 1, decode: bool = False) -> Any:
    """One call for some images from the same noise, with embeddings that stand for prompts."""
    is_flux = hasattr(pipe, "transformer")
    network = pipe.transformer if is_flux else pipe.unet
    dtype, config = next(network.parameters()).dtype, network.config
    if is_flux:
        words, wide, pooled = 512, config.joint_attention_dim, config.pooled_projection_dim
    else:
        words, wide = 77, config.cross_attention_dim
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    given = {"prompt_embeds": torch.ones(images, words, wide), "pooled_prompt_embeds": torch.ones(images, pooled)}
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
