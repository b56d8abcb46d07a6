"""The latents of all drawings, computed once to make training on a CPU possible."""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hub_ui.demo.build.train.drawing import draw
from hub_ui.demo.build.train.model import Vae
from hub_ui.demo.build.train.scene import LOOSE, NEAT, Scene, random_scene
from hub_ui.demo.build.train.vae import to_bytes, to_model_range

SEED = 23
COUNTS = {"loose": 16_000, "neat": 2_400}
LAYOUTS = {"loose": LOOSE, "neat": NEAT}


def scenes(layout: str, count: int, seed: int = SEED) -> list[Scene]:
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
