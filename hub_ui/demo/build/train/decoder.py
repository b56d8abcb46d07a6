"""Trains the decoder further, with the encoder as it is: latents, UNet and LoRAs stay valid."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import StableDiffusionImg2ImgPipeline
from torch import Tensor, nn

from hub_ui.demo.build.train.captions import caption
from hub_ui.demo.build.train.fitting import Plan, draws_at, fit
from hub_ui.demo.build.train.model import Pipeline, Vae
from hub_ui.demo.build.train.scene import NEAT, Scene, draw, random_scene
from hub_ui.demo.build.train.vae import encode_all, picture_pool, to_bytes, to_model_range

PLAN = Plan(steps=1200, rate=1.5e-3, warm_up=20, save_every=50, averaging=0.99)
SEED = 12
POOL = 500
REDRAWN = 200
BATCH = 6

NOISE = 0.2
"""How far latents are off, at most, when the decoder learns to draw clean edges all the same."""

STEEP_WEIGHT = 3.0

STRENGTH = 0.6
"""How much of the noise is put on a drawing that the UNet draws again: it keeps the place and loses the details."""

STEPS = 10
GUIDANCE = 3.0


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Latents, and the pictures (bytes) that they should become."""

    latents: Tensor
    pictures: Tensor


def encoded(vae: Vae, count: int) -> Pairs:
    """Plain drawings and those of the effects, through the encoder."""
    pictures = picture_pool(count, SEED, NEAT)
    return Pairs(latents=encode_all(vae, list(pictures)), pictures=pictures)


def redrawn(pipe: Pipeline, count: int, batch: int = 20) -> Pairs:
    """Plain drawings that the UNet drew again, with the faults it makes."""
    rng = random.Random(SEED)
    scenes = [random_scene(rng) for _ in range(count)]
    parts = pipe.components
    again: Pipeline = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)  # type: ignore[no-untyped-call]
    again.set_progress_bar_config(disable=True)
    latents = torch.cat([_redraw(again, scenes[at : at + batch], at) for at in range(0, count, batch)])
    return Pairs(latents=latents, pictures=torch.stack([to_bytes(draw(scene)) for scene in scenes]))


def train_decoder(work: Path, vae: Vae, lessons: Sequence[Pairs], plan: Plan = PLAN) -> None:
    """Train or resume the decoder alone. Each batch takes as much from each kind of lesson."""
    weights = {name: weight for name, weight in vae.named_parameters() if name.startswith(("decoder.", "post_quant"))}

    def loss(step: int) -> Tensor:
        draws = draws_at(SEED, step)
        each = BATCH // len(lessons)
        chosen = [(part, draws.python.choices(range(len(part.pictures)), k=each)) for part in lessons]
        latents = torch.cat([part.latents[numbers] for part, numbers in chosen]).float()
        pictures = torch.cat([part.pictures[numbers] for part, numbers in chosen])
        return edge_loss(vae, latents, to_model_range(pictures), draws.torch)

    vae.load_state_dict(fit(weights, loss, plan, work / "decoder.pt"), strict=False)


def edge_loss(vae: Vae, latents: Tensor, pictures: Tensor, generator: torch.Generator) -> Tensor:
    """L1 of the pictures, of their gradients, and of how steep edges are around each cell, from latents with noise.

    The last keeps an edge sharp whose exact place the latents leave open; L1 alone would rather blur it.
    """
    spread = NOISE * torch.rand((len(latents), 1, 1, 1), generator=generator)
    noisy = latents + spread * torch.randn(latents.shape, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        output = vae.decode(noisy.to(memory_format=torch.channels_last)).sample
    drawn: Tensor = output.float()
    gap, steep = drawn - pictures, _steepness(drawn) - _steepness(pictures)
    along, down = gap.diff(dim=3), gap.diff(dim=2)
    return gap.abs().mean() + along.abs().mean() + down.abs().mean() + STEEP_WEIGHT * steep.abs().mean()


def _redraw(again: Pipeline, scenes: Sequence[Scene], seed: int) -> Tensor:
    output = again(
        prompt=[caption(scene) for scene in scenes],
        image=[draw(scene) for scene in scenes],
        strength=STRENGTH,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        generator=torch.Generator().manual_seed(seed),
        output_type="latent",
    )
    latents: Tensor = output.images.half()
    return latents


def _steepness(pictures: Tensor) -> Tensor:
    """The root of the mean squared gradient in windows of 8 pixels."""
    energy = pictures.diff(dim=2)[..., :-1].square() + pictures.diff(dim=3)[..., :-1, :].square()
    return (nn.functional.avg_pool2d(energy, 8, stride=4) + 1e-4).sqrt()
