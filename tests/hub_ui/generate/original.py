"""Stable Diffusion 1 in one file, under the names of its original code: the other way round than diffusers reads it.

For networks as small as those of building.py: two blocks with one residual layer each.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from hub_ui.generate.lora.module_names import originals

# What tells Stable Diffusion 1 from the others: the width of its text encoder.
TEXT_WIDTH = 768
_VAE = (
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"mid_block\.attentions\.0\.to_(.)", r"mid.attn_1.\1"),
    (r"down_blocks\.(\d)\.resnets", r"down.\1.block"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"up_blocks\.0\.resnets", "up.1.block"),
    (r"up_blocks\.1\.resnets", "up.0.block"),
    (r"up_blocks\.0\.upsamplers\.0", "up.1.upsample"),
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
)


def save_wide(base: Path, folder: Path) -> Path:
    """The base with a text encoder and attention as wide as the real ones', in diffusers' layout."""
    loaded: Any = StableDiffusionPipeline
    pipe = loaded.from_pretrained(base)
    torch.manual_seed(3)
    network: Any = UNet2DConditionModel
    config: Any = CLIPTextConfig
    widths = {"cross_attention_dim": TEXT_WIDTH, "block_out_channels": (32, 320)}
    unet = network.from_config({**pipe.unet.config, **widths})
    narrow = pipe.text_encoder.config.to_dict()
    wide = config(**{**narrow, "hidden_size": TEXT_WIDTH, "num_hidden_layers": 1, "num_attention_heads": 12})
    loaded(
        vae=pipe.vae, text_encoder=CLIPTextModel(wide), tokenizer=pipe.tokenizer, unet=unet, scheduler=pipe.scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_checkpoint(folder: Path, path: Path, parts: tuple[str, ...] = ("unet", "vae", "text_encoder")) -> Path:
    loaded: Any = StableDiffusionPipeline
    pipe = loaded.from_pretrained(folder)
    tensors: dict[str, torch.Tensor] = {}
    for part in parts:
        values = getattr(pipe, part).state_dict()
        renamed = {"unet": _unet(values), "vae": _vae, "text_encoder": _text}[part]
        tensors |= {renamed(name): tensor for name, tensor in values.items()}
    save_file({name: _shaped(name, tensor) for name, tensor in tensors.items()}, path)
    return path


def _unet(names: Iterable[str]) -> Callable[[str], str]:
    parts = {name: name.rpartition(".") for name in names}
    own = {module: original for original, module in originals(module for module, _, _ in parts.values())}
    return lambda name: f"model.diffusion_model.{own[parts[name][0]]}.{parts[name][2]}"


def _vae(name: str) -> str:
    for pattern, original in _VAE:
        name = re.sub(pattern, original, name)
    return f"first_stage_model.{name}"


def _text(name: str) -> str:
    return f"cond_stage_model.transformer.{name if name.startswith('text_model.') else f'text_model.{name}'}"


def _shaped(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The original's attention in the VAE is made of convolutions."""
    projection = re.search(r"mid\.attn_1\.(?:q|k|v|proj_out)\.weight$", name)
    return tensor[:, :, None, None].contiguous() if projection else tensor.contiguous()
