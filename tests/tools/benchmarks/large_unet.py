"""A UNet of Stable Diffusion 1.5's size with random weights, and LoRAs of the common kinds for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file

_NOISE = 1 << 24


def pipeline() -> Any:
    """Without a text encoder and a VAE: it takes embeddings and gives latents."""
    unet: Any = UNet2DConditionModel
    with torch.device("meta"):
        network = unet(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    filled(network.to_empty(device="cpu")).eval()
    kind: Any = StableDiffusionPipeline
    scheduler: Any = DDIMScheduler
    pipe = kind(
        None,
        None,
        None,
        network,
        scheduler(steps_offset=1, clip_sample=False),
        None,
        None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def filled(network: Any) -> Any:
    """One piece of noise for all layers: drawing 860 million numbers would take longer than most of what is timed."""
    noise = torch.randn(_NOISE, generator=torch.Generator().manual_seed(0)) * 0.02
    for module in network.modules():
        for name, value in module.named_parameters(recurse=False):
            if isinstance(module, torch.nn.GroupNorm | torch.nn.LayerNorm):
                value.data.fill_(1.0 if name == "weight" else 0.0)
            else:
                count = value.numel()
                value.data.copy_(noise.repeat(-(-count // _NOISE))[:count].view(value.shape))
    return network


def save_lora(path: Path, network: Any, *, rank: int, convolutions: bool = False, seed: int = 1) -> Path:
    """In kohya's form and half precision: the attention of a network, with `convolutions` every layer of its blocks."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, weight in network.named_parameters():
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
