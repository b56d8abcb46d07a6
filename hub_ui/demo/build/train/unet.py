"""The denoising stage: the UNet and the text encoder learn together, on latents."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.training_utils import compute_snr
from torch import Tensor, nn

from hub_ui.demo.build.train.captions import training_caption
from hub_ui.demo.build.train.fitting import Plan, draws_at, fit
from hub_ui.demo.build.train.model import Pipeline
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


def denoiser_weights(pipe: Pipeline) -> dict[str, nn.Parameter]:
    """Of the UNet and the text encoder, by a name that says whose they are."""
    parts: dict[str, nn.Module] = {"unet": pipe.unet, "text_encoder": pipe.text_encoder}
    return {f"{part}.{name}": weight for part, module in parts.items() for name, weight in module.named_parameters()}


def train_denoiser(
    checkpoint: Path,
    pipe: Pipeline,
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
        return denoising_loss(pipe, latents[chosen].float(), captions, draws.torch, lean=lean)

    weights = denoiser_weights(pipe)
    load_weights(weights, fit(weights, loss, plan, checkpoint, stop_at=stop_at))


@torch.no_grad()
def load_weights(weights: dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
    """Copy values into parameters of the same names."""
    for name, weight in weights.items():
        weight.copy_(values[name])


def denoising_loss(
    pipe: Pipeline, latents: Tensor, captions: Sequence[str], generator: torch.Generator, *, lean: float = 2.0
) -> Tensor:
    """Squared error of the velocity (Salimans & Ho 2022)."""
    noise = torch.randn(latents.shape, generator=generator)
    times = noise_levels(len(latents), pipe.scheduler.config.num_train_timesteps, generator, lean)
    noisy = pipe.scheduler.add_noise(latents, noise, times).to(memory_format=torch.channels_last)
    target = pipe.scheduler.get_velocity(latents, noise, times)
    with torch.autocast("cpu", torch.bfloat16):
        text, _ = pipe.encode_prompt(list(captions), "cpu", 1, do_classifier_free_guidance=False)
        guess: Tensor = pipe.unet(noisy, times, encoder_hidden_states=text).sample
    errors: Tensor = (guess.float() - target).square().mean(dim=(1, 2, 3))
    ratio: Tensor = compute_snr(pipe.scheduler, times)  # type: ignore[no-untyped-call]
    return torch.mean(errors * snr_weights(ratio))


def noise_levels(count: int, steps: int, generator: torch.Generator, lean: float = 2.0) -> Tensor:
    """Timesteps: evenly spread at a `lean` of 1, above it denser near pure noise, where the text decides."""
    spots = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return ((1 - spots**lean) * steps).long().clamp(max=steps - 1)


def snr_weights(ratio: Tensor) -> Tensor:
    """min-SNR weights for velocities, plus one: without it the pure noise that sampling begins with would not count."""
    return (ratio.clamp(max=GAMMA) + 1) / (ratio + 1)
