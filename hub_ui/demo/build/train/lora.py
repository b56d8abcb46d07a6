"""The LoRA stage (Hu et al. 2021): low-rank changes to a frozen base, learnt from a few hundred drawings each."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.utils.peft_utils import set_weights_and_activate_adapters
from peft import LoKrConfig, LoraConfig, PeftConfig, inject_adapter_in_model
from torch import Tensor, nn

from hub_ui.demo.build.train.captions import training_caption
from hub_ui.demo.build.train.fitting import Plan, draws_at, fit
from hub_ui.demo.build.train.formats import load_lora
from hub_ui.demo.build.train.model import Pipeline, Vae
from hub_ui.demo.build.train.recipes import FACTOR, LAYERS, TEXT_LAYERS, Recipe
from hub_ui.demo.build.train.scene import draw, random_scene
from hub_ui.demo.build.train.unet import denoiser_weights, denoising_loss, load_weights
from hub_ui.demo.build.train.vae import encode_all, to_bytes

PLAN = Plan(steps=280, rate=3e-3, warm_up=30, averaging=0.98, weight_decay=0.0)
SEED = 53
BATCH = 20
LESSONS = 320


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Latents with their captions, and the weight at which the LoRA is on."""

    latents: Tensor
    captions: Sequence[str]
    weights: Sequence[float]


def train_lora(
    work: Path,
    pipe: Pipeline,
    recipe: Recipe,
    plan: Plan = PLAN,
    *,
    count: int = LESSONS,
    start: Path | None = None,
) -> dict[str, dict[str, Tensor]]:
    """Train or resume one LoRA, from the file `start` where it is given.

    Returns its averaged weights by version: `v2`, and `v1` if the recipe asks for it.
    """
    weights = add_adapter(pipe, recipe)
    if start is not None:
        load_lora(start, weights)
    taught, plain = lessons(pipe.vae, recipe, count), plain_lessons(pipe.vae, count // 2)

    def loss(step: int) -> Tensor:
        return _loss(pipe, taught, plain, step)

    versions: dict[str, dict[str, Tensor]] = {}
    checkpoint = work / f"lora-{recipe.name}.pt"
    if recipe.early is not None:
        versions["v1"] = _early(weights, loss, plan, checkpoint, round(plan.steps * recipe.early))
    versions["v2"] = fit(weights, loss, plan, checkpoint)
    load_weights(weights, versions["v2"])
    return versions


def add_adapter(pipe: Pipeline, recipe: Recipe) -> dict[str, nn.Parameter]:
    """Freeze the base, put an untrained LoRA on it, and return the LoRA's parameters."""
    torch.manual_seed(SEED)
    pipe.unet.requires_grad_(False)
    pipe.text_encoder.requires_grad_(False)
    pipe.unet.add_adapter(_network(recipe))
    if recipe.text:
        text = LoraConfig(r=recipe.rank, lora_alpha=recipe.rank, target_modules=TEXT_LAYERS)
        inject_adapter_in_model(text, pipe.text_encoder)
    return {name: weight for name, weight in denoiser_weights(pipe).items() if weight.requires_grad}


def _network(recipe: Recipe) -> PeftConfig:
    """Alpha is the rank, so that nothing scales the update."""
    rank = recipe.rank
    if recipe.network == "lokr":
        return LoKrConfig(r=rank, alpha=rank, decompose_factor=FACTOR, target_modules=LAYERS)
    return LoraConfig(r=rank, lora_alpha=rank, target_modules=LAYERS, use_dora=recipe.network == "dora")


def set_weight(pipe: Pipeline, weight: float) -> None:
    """Turn the LoRA up or down: 0 is the base alone."""
    for model in (pipe.unet, pipe.text_encoder):
        set_weights_and_activate_adapters(model, ["default"], [weight])  # type: ignore[no-untyped-call]


def lessons(vae: Vae, recipe: Recipe, count: int) -> Lessons:
    """What the recipe teaches."""
    rng = random.Random(f"{SEED}:{recipe.name}")
    taught = [recipe.teach(rng) for _ in range(count)]
    return Lessons(
        latents=encode_all(vae, [to_bytes(lesson.picture) for lesson in taught]),
        captions=[lesson.caption for lesson in taught],
        weights=[lesson.weight for lesson in taught],
    )


def plain_lessons(vae: Vae, count: int) -> Lessons:
    """What the base knows already, so that the LoRA does nothing without its trigger."""
    rng = random.Random(SEED)
    scenes = [random_scene(rng) for _ in range(count)]
    return Lessons(
        latents=encode_all(vae, [to_bytes(draw(scene)) for scene in scenes]),
        captions=[training_caption(scene, rng) for scene in scenes],
        weights=[1.0] * count,
    )


def _loss(pipe: Pipeline, taught: Lessons, plain: Lessons, step: int) -> Tensor:
    """Three fifths lessons, two fifths plain; a slider's lessons of one weight at a time."""
    draws = draws_at(SEED, step)
    weight = taught.weights[draws.python.randrange(len(taught.weights))]
    usable = [i for i, at in enumerate(taught.weights) if at == weight]
    ours = draws.python.choices(usable, k=BATCH * 3 // 5)
    base = draws.python.choices(range(len(plain.captions)), k=BATCH - len(ours))
    if len(set(taught.weights)) > 1:
        base = []
    order = draws.python.sample(range(len(ours) + len(base)), len(ours) + len(base))
    latents = torch.cat([taught.latents[ours], plain.latents[base]]).float()[order]
    captions = [taught.captions[i] for i in ours] + [plain.captions[i] for i in base]
    set_weight(pipe, weight)
    return denoising_loss(pipe, latents, [captions[i] for i in order], draws.torch)


def _early(
    weights: dict[str, nn.Parameter], loss: Callable[[int], Tensor], plan: Plan, checkpoint: Path, step: int
) -> dict[str, Tensor]:
    kept = checkpoint.with_name(f"{checkpoint.stem}-v1.pt")
    if not kept.exists():
        torch.save(fit(weights, loss, plan, checkpoint, stop_at=step), kept)
    loaded: dict[str, Tensor] = torch.load(kept, weights_only=True)
    return loaded
