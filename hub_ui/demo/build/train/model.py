"""The parts of the tiny pipeline: real diffusers and transformers classes, small enough for two CPU cores."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

Vae: TypeAlias = Any
Unet: TypeAlias = Any
Pipeline: TypeAlias = Any
"""AutoencoderKL, UNet2DConditionModel and StableDiffusionPipeline: diffusers' own annotations leave out most of what
these classes can do, so a checker can't follow them."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Widths of the networks. The defaults are the model that ships; tests use smaller ones."""

    vae_widths: tuple[int, ...] = (16, 32, 48, 64)
    vae_groups: int = 2
    latent_channels: int = 16
    unet_widths: tuple[int, int] = (64, 128)
    unet_groups: int = 16
    heads: int = 4
    text_width: int = 96
    text_layers: int = 2


CAPTION_LENGTH = 40
"""Tokens in a prompt, both end marks included."""


def build_vae(sizes: Sizes, seed: int) -> Vae:
    """Reduces each side by 2 ** (levels - 1): 128 pixels become 16 latent cells."""
    levels = len(sizes.vae_widths)
    torch.manual_seed(seed)
    vae: Vae = AutoencoderKL(  # type: ignore[no-untyped-call]
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=sizes.vae_widths,
        layers_per_block=1,
        latent_channels=sizes.latent_channels,
        norm_num_groups=sizes.vae_groups,
        sample_size=128,
        mid_block_add_attention=False,
    )
    _ease(vae)
    return vae.to(memory_format=torch.channels_last)


@torch.no_grad()
def _ease(vae: Vae) -> None:
    """Start with silent residual branches around an orthogonal trunk.

    From the usual start, four levels are still blurred and off in colour after a thousand steps; from this one a
    hundred and fifty do as well.
    """
    for name, layer in vae.named_modules():
        if not isinstance(layer, nn.Conv2d) or name.endswith("conv1"):
            continue
        if layer.bias is not None:
            layer.bias.zero_()
        layer.weight.copy_(_easy_weight(name, layer.weight))


def _easy_weight(name: str, weight: Tensor) -> Tensor:
    if name.endswith("conv2"):
        return torch.zeros(weight.shape)
    if "downsamplers" in name or name.endswith(("encoder.conv_in", "conv_out")):
        return nn.init.orthogonal_(torch.empty(weight.shape))
    easy, middle = torch.zeros(weight.shape), weight.shape[-1] // 2
    easy[:, :, middle, middle] = nn.init.orthogonal_(torch.empty(weight.shape[:2]))
    return easy


def build_unet(sizes: Sizes, seed: int) -> Unet:
    """Two levels, attention on the lower one and in the middle."""
    torch.manual_seed(seed)
    unet: Unet = UNet2DConditionModel(  # type: ignore[no-untyped-call]
        sample_size=16,
        in_channels=sizes.latent_channels,
        out_channels=sizes.latent_channels,
        block_out_channels=sizes.unet_widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=sizes.text_width,
        attention_head_dim=sizes.heads,
        norm_num_groups=sizes.unet_groups,
    )
    return unet.to(memory_format=torch.channels_last)


def build_text_encoder(sizes: Sizes, tokenizer: CLIPTokenizer, seed: int) -> CLIPTextModel:
    """A CLIP text model that learns its few words together with the UNet."""
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=sizes.text_width,
        intermediate_size=sizes.text_width * 4,
        projection_dim=sizes.text_width,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=sizes.heads,
        max_position_embeddings=CAPTION_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def build_scheduler() -> DDIMScheduler:
    """v-prediction (Salimans & Ho 2022) over Stable Diffusion's noise schedule, spaced from its very end."""
    return DDIMScheduler(  # type: ignore[no-untyped-call]
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        rescale_betas_zero_snr=True,
    )


def build_pipeline(vae: Vae, tokenizer: CLIPTokenizer, sizes: Sizes, seed: int) -> Pipeline:
    """With a UNet and a text encoder that have learnt nothing yet."""
    return StableDiffusionPipeline(  # type: ignore[no-untyped-call]
        vae=vae,
        text_encoder=build_text_encoder(sizes, tokenizer, seed),
        tokenizer=tokenizer,
        unet=build_unet(sizes, seed),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
