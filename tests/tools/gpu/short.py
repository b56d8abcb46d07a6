"""The sections in short, on the CPU: tiny pipelines of the same classes, and a few rows."""

from pathlib import Path
from typing import Any

import torch

from tests.tools.gpu import networks, small_cards, speed
from tests.tools.gpu.card import Card

UNET: dict[str, Any] = {
    "sample_size": 8, "block_out_channels": (32, 64), "layers_per_block": 1, "cross_attention_dim": 32,
    "attention_head_dim": (4, 8), "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "norm_num_groups": 8, "use_linear_projection": True,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 80,
}  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 32, "pooled_projection_dim": 32, "axes_dims_rope": (4, 6, 6), "guidance_embeds": True,
}  # fmt: skip
VAE: dict[str, Any] = {
    "block_out_channels": (16, 16), "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 16,
    "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2, "latent_channels": 4,
}  # fmt: skip
SIZE = 32


def sdxl(device: str, dtype: torch.dtype) -> Any:
    return networks.sdxl(device, dtype, UNET, VAE)


def flux(device: str, dtype: torch.dtype) -> Any:
    return networks.flux(device, dtype, TRANSFORMER, {**VAE, "shift_factor": 0.1})


def measured(card: Card, folder: Path) -> speed.Measured:
    pipe = sdxl(card.kind, torch.float32)
    return speed.measured_sdxl(
        card, folder, pipe, size=SIZE, rank=4, name="tiny SDXL", steps=1, runs=1, has_aims=False
    )  # fmt: skip


def real() -> tuple[small_cards.Real, ...]:
    return (
        small_cards.real("sdxl-1.0", torch.float32, SIZE, sdxl),
        small_cards.real("flux.1-dev", torch.float32, SIZE, flux),
    )
