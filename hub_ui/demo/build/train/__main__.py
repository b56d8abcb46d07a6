"""`python -m hub_ui.demo.build.train`: runs all stages and resumes interrupted ones."""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from hub_ui.demo.build.train import decoder
from hub_ui.demo.build.train.captions import build_tokenizer
from hub_ui.demo.build.train.fitting import Plan
from hub_ui.demo.build.train.formats import save_lora
from hub_ui.demo.build.train.lora import PLAN as LORA_PLAN
from hub_ui.demo.build.train.lora import train_lora
from hub_ui.demo.build.train.model import Sizes, Vae, build_pipeline
from hub_ui.demo.build.train.pipeline import load_base, make_previews, save_base
from hub_ui.demo.build.train.recipes import RECIPES, Recipe
from hub_ui.demo.build.train.unet import (
    LOOSE_PLAN,
    LOOSE_STEPS,
    NEAT_PLAN,
    NEAT_ROUNDS,
    POLISH_BATCH,
    POLISH_LEAN,
    POLISH_PLAN,
    SEED,
    train_denoiser,
)
from hub_ui.demo.build.train.vae import LAYOUTS, base_latents, picture_pool, standardise, train_vae
from hub_ui.demo.build.train.vae import PLAN as VAE_PLAN

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "weights"


@dataclass(frozen=True, kw_only=True)
class Job:
    """`scale` shortens or lengthens every stage; `only_lora` picks one LoRA of the stage `loras`.

    LoRAs begin as those of the same names in the folder `further`, where it is given.
    """

    work: Path
    out: Path
    scale: float = 1.0
    only_lora: str | None = None
    further: Path | None = None

    def plan(self, plan: Plan) -> Plan:
        return replace(plan, steps=max(1, round(plan.steps * self.scale)))


def finished_vae(job: Job) -> Vae:
    """Trained and with standardised latents, from the work folder when it is there."""
    folder = job.work / "vae"
    if not folder.exists():
        trained = train_vae(job.work, job.plan(VAE_PLAN))
        standardise(trained, list(picture_pool(512)))
        trained.save_pretrained(folder)
    vae: Vae = AutoencoderKL.from_pretrained(folder)  # type: ignore[no-untyped-call]
    return vae.to(memory_format=torch.channels_last)


def run_vae(job: Job) -> None:
    finished_vae(job)


def run_latents(job: Job) -> None:
    vae = finished_vae(job)
    for layout in LAYOUTS:
        base_latents(job.work, vae, layout)


def run_unet(job: Job) -> None:
    """Trains the UNet and the text encoder, then saves the whole base."""
    vae = finished_vae(job)
    pipe = build_pipeline(vae, build_tokenizer(job.work / "tokenizer"), Sizes(), SEED)
    loose, neat = job.plan(LOOSE_PLAN), job.plan(NEAT_PLAN)
    stop = max(1, round(LOOSE_STEPS * job.scale))
    train_denoiser(job.work / "unet-loose.pt", pipe, *base_latents(job.work, vae, "loose"), loose, stop_at=stop)
    scenes, latents = base_latents(job.work, vae, "neat")
    for turn in range(NEAT_ROUNDS):
        train_denoiser(job.work / f"unet-neat-{turn}.pt", pipe, scenes, latents, neat, seed=SEED + turn)
    save_base(job.out / "base", pipe)


def run_polish(job: Job) -> None:
    """Trains the base as it ships further, slowly, with more time for details."""
    pipe, plan = load_base(job.out / "base"), job.plan(POLISH_PLAN)
    scenes, latents = base_latents(job.work, pipe.vae, "neat")
    checkpoint = job.work / "unet-polish.pt"
    train_denoiser(checkpoint, pipe, scenes, latents, plan, seed=SEED + 9, batch=POLISH_BATCH, lean=POLISH_LEAN)
    save_base(job.out / "base", pipe)


def run_decoder(job: Job) -> None:
    """Trains the decoder of the base as it ships further."""
    pipe = load_base(job.out / "base")
    lessons = (decoder.encoded(pipe.vae, decoder.POOL), decoder.redrawn(pipe, decoder.REDRAWN))
    decoder.train_decoder(job.work, pipe.vae, lessons, job.plan(decoder.PLAN))
    save_base(job.out / "base", pipe)


def run_loras(job: Job) -> None:
    """Trains on the base as it ships, in half precision, so that LoRAs compensate for the rounding."""
    for recipe in RECIPES:
        if job.only_lora in (None, recipe.name):
            _run_lora(job, recipe)


def run_previews(job: Job) -> None:
    make_previews(job.out)


STAGES: dict[str, Callable[[Job], None]] = {
    "vae": run_vae,
    "latents": run_latents,
    "unet": run_unet,
    "polish": run_polish,
    "decoder": run_decoder,
    "loras": run_loras,
    "previews": run_previews,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    job = Job(
        work=options.work, out=options.out, scale=options.steps_scale, only_lora=options.lora, further=options.further
    )
    for stage in [options.only] if options.only else STAGES:
        begun = time.monotonic()
        STAGES[stage](job)
        print(f"{stage}: done in {(time.monotonic() - begun) / 60:.1f} minutes", flush=True)


def _run_lora(job: Job, recipe: Recipe) -> None:
    start = job.further / f"{recipe.name}.safetensors" if job.further else None
    versions = train_lora(job.work, load_base(job.out / "base"), recipe, job.plan(LORA_PLAN), start=start)
    for version, weights in versions.items():
        name = recipe.name if version == "v2" else f"{recipe.name}-{version}"
        save_lora(job.out / "loras" / f"{name}.safetensors", weights, recipe, version)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub_ui.demo.build.train", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("train-work"), help="checkpoints and latents")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the finished weights go")
    parser.add_argument("--only", choices=STAGES, help="one stage instead of all")
    parser.add_argument("--lora", choices=[recipe.name for recipe in RECIPES], help="one LoRA instead of all")
    parser.add_argument("--further", type=Path, metavar="FOLDER", help="begin with the LoRAs in this folder")
    parser.add_argument("--steps-scale", type=float, default=1.0, help="0.01 for a quick try, 2 for better weights")
    parser.add_argument("--threads", type=int, default=2)
    return parser


if __name__ == "__main__":
    main()
