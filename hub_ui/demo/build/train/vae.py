"""Trains the autoencoder. It sees every effect, so that latents can represent what the LoRAs learn."""

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hub_ui.demo.build.train.effects import EFFECTS, FOR_AUTOENCODER
from hub_ui.demo.build.train.fitting import Plan, draws_at, fit
from hub_ui.demo.build.train.model import Sizes, Vae, build_vae
from hub_ui.demo.build.train.scene import DETAILED, Layout, random_scene

PLAN = Plan(steps=3000, rate=2e-3)
SEED = 11
POOL = 3000
CROP = 32

KL_WEIGHT = 3e-5
"""Of the mean divergence a latent number: enough to keep the latents smooth, too little to blur."""


def train_vae(work: Path, plan: Plan = PLAN, sizes: Sizes = Sizes(), *, pool: int = POOL) -> Vae:  # noqa: B008
    """Train or resume. Most steps see small crops of many pictures, every fourth whole ones, at the same cost."""
    vae = build_vae(sizes, SEED)
    pictures = picture_pool(pool)

    def loss(step: int) -> Tensor:
        draws = draws_at(SEED, step)
        batch = _crops(pictures, draws.python) if step % 4 else _wholes(pictures, draws.python)
        return reconstruction_loss(vae, batch, draws.torch)

    averages = fit(dict(vae.named_parameters()), loss, plan, work / "vae.pt")
    vae.load_state_dict(averages)
    return vae


def reconstruction_loss(vae: Vae, batch: Tensor, generator: torch.Generator) -> Tensor:
    """L1 and a little squared error, plus the pull of the latents towards a unit normal."""
    with torch.autocast("cpu", torch.bfloat16):
        latents = vae.encode(batch).latent_dist
        output = vae.decode(latents.sample(generator)).sample
    gap: Tensor = output.float() - batch
    pull: Tensor = latents.kl().mean() / latents.mean[0].numel()
    return gap.abs().mean() + 0.5 * gap.square().mean() + KL_WEIGHT * pull


def picture_pool(count: int, seed: int = SEED, layout: Layout = DETAILED) -> Tensor:
    """Drawn pictures as bytes, count x 3 x 128 x 128: a little over half of them plain."""
    rng = random.Random(seed)
    chosen = ["plain" if rng.random() < 0.55 else rng.choice(FOR_AUTOENCODER) for _ in range(count)]
    return torch.stack([to_bytes(EFFECTS[name](random_scene(rng, layout), rng)) for name in chosen])


def to_bytes(picture: Image.Image) -> Tensor:
    """3 x height x width, 0 to 255."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def to_model_range(pictures: Tensor) -> Tensor:
    """Bytes to -1 ... 1, laid out channels last (convolutions on a CPU are about three times faster so)."""
    return (pictures.float() / 127.5 - 1).to(memory_format=torch.channels_last)


def _crops(pictures: Tensor, rng: random.Random, count: int = 64) -> Tensor:
    spots = [(rng.randrange(len(pictures)), *_corner(pictures, rng)) for _ in range(count)]
    return to_model_range(torch.stack([pictures[i, :, y : y + CROP, x : x + CROP] for i, y, x in spots]))


def _corner(pictures: Tensor, rng: random.Random) -> tuple[int, int]:
    room = pictures.shape[-1] - CROP
    return rng.randint(0, room), rng.randint(0, room)


def _wholes(pictures: Tensor, rng: random.Random, count: int = 4) -> Tensor:
    return to_model_range(pictures[[rng.randrange(len(pictures)) for _ in range(count)]])
