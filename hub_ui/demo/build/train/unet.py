"""The denoising stage: the UNet and the text encoder learn together, on latents."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from hub_ui.demo.build.train.captions import training_caption
from hub_ui.demo.build.train.fitting import Plan, draws_at, fit
from hub_ui.demo.build.train.model import (
    CAPTION_LENGTH,
    Scheduler,
    Sizes,
    Unet,
    build_scheduler,
    build_text_encoder,
    build_unet,
)
from hub_ui.demo.build.train.scene import Scene

LOOSE_PLAN = Plan(steps=3200, rate=1e-3, warm_up=100, slow="text_encoder.", slow_share=0.05)
LOOSE_STEPS = 2200
"""The first lessons, broken off while they still teach much. The text encoder learns slowly: at the full rate it soon
tells only backgrounds apart, never colours and shapes."""

NEAT_PLAN = Plan(steps=900, rate=6e-4, warm_up=50, averaging=0.995, slow="text_encoder.", slow_share=0.1)
NEAT_ROUNDS = 2
"""The later lessons, on things that have their spot: twice from a high rate to a low one."""

POLISH_PLAN = Plan(
    steps=2000, rate=9e-4, warm_up=20, averaging=0.99, save_every=50, slow="text_encoder.", slow_share=0.1
)
"""The last lessons, with as much time for the middle levels of noise, where edges appear, as for the highest."""

POLISH_BATCH = 16
POLISH_LEAN = 1.15

SEED = 37
BATCH = 32

CLEAN_SHARE = 0.25
"""Of the steps, the first ones, see only clean captions."""

GAMMA = 5.0
"""Where the signal-to-noise ratio is clipped in the loss (min-SNR, Hang et al. 2023)."""


@dataclass(frozen=True, kw_only=True)
class Denoiser:
    """The networks that turn noise and text into latents."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: Unet
    scheduler: Scheduler

    def parameters(self) -> dict[str, nn.Parameter]:
        """Of both networks, by a name that says whose they are."""
        parts: dict[str, nn.Module] = {"unet": self.unet, "text_encoder": self.text_encoder}
        return {f"{part}.{name}": p for part, module in parts.items() for name, p in module.named_parameters()}


def build_denoiser(tokenizer: CLIPTokenizer, sizes: Sizes = Sizes()) -> Denoiser:  # noqa: B008
    """Untrained, with weights drawn from the stage's seed."""
    return Denoiser(
        tokenizer=tokenizer,
        text_encoder=build_text_encoder(sizes, tokenizer, SEED),
        unet=build_unet(sizes, SEED),
        scheduler=build_scheduler(),
    )


def train_denoiser(
    checkpoint: Path,
    model: Denoiser,
    scenes: Sequence[Scene],
    latents: Tensor,
    plan: Plan,
    *,
    batch: int = BATCH,
    seed: int = SEED,
    stop_at: int | None = None,
    lean: float = 2.0,
) -> None:
    """Train or resume; leaves the averaged weights in the model. For `lean` see `noise_levels`."""

    def loss(step: int) -> Tensor:
        draws = draws_at(seed, step)
        chosen = [draws.python.randrange(len(scenes)) for _ in range(batch)]
        clean = step < plan.steps * CLEAN_SHARE
        captions = [training_caption(scenes[i], draws.python, clean=clean) for i in chosen]
        return denoising_loss(model, latents[chosen].float(), captions, draws.torch, lean=lean)

    weights = model.parameters()
    load_weights(weights, fit(weights, loss, plan, checkpoint, stop_at=stop_at))


@torch.no_grad()
def load_weights(weights: dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
    """Copy values into parameters of the same names."""
    for name, weight in weights.items():
        weight.copy_(values[name])


def denoising_loss(
    model: Denoiser, latents: Tensor, captions: Sequence[str], generator: torch.Generator, *, lean: float = 2.0
) -> Tensor:
    """Squared error of the velocity (Salimans & Ho 2022)."""
    noise = torch.randn(latents.shape, generator=generator)
    times = noise_levels(len(latents), model.scheduler.config.num_train_timesteps, generator, lean)
    noisy = model.scheduler.add_noise(latents, noise, times)
    target = model.scheduler.get_velocity(latents, noise, times)
    with torch.autocast("cpu", torch.bfloat16):
        text = model.text_encoder(tokens(model.tokenizer, captions))[0]
        noisy = noisy.to(memory_format=torch.channels_last)
        guess: Tensor = model.unet(noisy, times, encoder_hidden_states=text).sample
    errors: Tensor = (guess.float() - target).square().mean(dim=(1, 2, 3))
    kept: Tensor = model.scheduler.alphas_cumprod[times]
    return torch.mean(errors * snr_weights(kept))


def noise_levels(count: int, steps: int, generator: torch.Generator, lean: float = 2.0) -> Tensor:
    """Timesteps: evenly spread at a `lean` of 1, above it denser near pure noise, where the text decides."""
    spots = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return ((1 - spots**lean) * steps).long().clamp(max=steps - 1)


def snr_weights(kept: Tensor) -> Tensor:
    """min-SNR weights for velocities, plus one: without it the pure noise that sampling begins with would not count.

    `kept` is the signal's share of the variance at each noise level.
    """
    ratio = kept / (1 - kept).clamp(min=1e-8)
    return (ratio.clamp(max=GAMMA) + 1) / (ratio + 1)


def tokens(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Token numbers, padded to the model's length."""
    encoded = tokenizer(
        list(captions), padding="max_length", truncation=True, max_length=CAPTION_LENGTH, return_tensors="pt"
    )
    ids = encoded.input_ids
    assert isinstance(ids, Tensor)
    return ids
