"""Trains the autoencoder. It sees every effect, so that latents can represent what the LoRAs learn.

The latents of all drawings are computed once, to make training on a CPU possible.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from hub_ui.demo.build.train.effects import EFFECTS, FOR_AUTOENCODER
from hub_ui.demo.build.train.fitting import Plan, draws_at, fit
from hub_ui.demo.build.train.model import Sizes, Vae, build_vae
from hub_ui.demo.build.train.scene import DETAILED, LOOSE, NEAT, Layout, Scene, draw, random_scene

PLAN = Plan(steps=3000, rate=2e-3)
SEED = 11
SCENES_SEED = 23
COUNTS = {"loose": 16_000, "neat": 2_400}
LAYOUTS = {"loose": LOOSE, "neat": NEAT}
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


def scenes(layout: str, count: int, seed: int = SCENES_SEED) -> list[Scene]:
    """The scenes the base learns from."""
    rng = random.Random(seed)
    return [random_scene(rng, LAYOUTS[layout]) for _ in range(count)]


def base_latents(work: Path, vae: Vae, layout: str, count: int | None = None) -> tuple[list[Scene], Tensor]:
    """The scenes of a layout and their latents (half precision), kept in the work folder."""
    shown, path = scenes(layout, count or COUNTS[layout]), work / f"latents-{layout}.safetensors"
    if not path.exists():
        pictures = (to_bytes(draw(scene)) for scene in shown)
        save_file({"latents": encode_all(vae, list(pictures))}, path)
    return shown, load_file(path)["latents"]


@torch.no_grad()
def encode_all(vae: Vae, pictures: Sequence[Tensor], batch: int = 32) -> Tensor:
    """Means of the latents, in half precision."""
    parts = []
    for at in range(0, len(pictures), batch):
        part = to_model_range(torch.stack(list(pictures[at : at + batch])))
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(vae.encode(part).latent_dist.mean.half())
    return torch.cat(parts).contiguous()


@torch.no_grad()
def standardise(vae: Vae, pictures: Sequence[Tensor]) -> None:
    """Give every latent channel mean 0 and variance 1 over `pictures`.

    The pipeline has one scaling factor for all channels. Folded into the 1x1 convolutions at the seam, each channel
    gets its own and the scaling factor is 1. A channel that hardly varies isn't blown up.
    """
    latents = encode_all(vae, pictures).float()
    mean = latents.mean(dim=(0, 2, 3))
    spread = latents.std(dim=(0, 2, 3))
    spread = spread.clamp(min=float(spread.median()) * 0.25)
    into, out_of, channels = vae.quant_conv, vae.post_quant_conv, len(mean)
    out_of.bias += out_of.weight[:, :, 0, 0] @ mean
    out_of.weight *= spread.view(1, -1, 1, 1)
    into.weight[:channels] /= spread.view(-1, 1, 1, 1)
    into.bias[:channels] = (into.bias[:channels] - mean) / spread
    into.bias[channels:] -= 2 * spread.log()
    vae.register_to_config(scaling_factor=1.0)
