"""The base saved as it ships, and loaded as anyone would load it; and its LoRAs' example images and list of files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from connectors.ref import Ref
from hub_ui.demo.build.train.model import Pipeline
from hub_ui.demo.build.train.recipes import RECIPES, Recipe, Shot
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.request import LoraInput

BASE_NAME = "tiny-shapes"

STEPS = 20
GUIDANCE = 4.0


def save_base(folder: Path, pipe: Pipeline) -> None:
    """The folder that `StableDiffusionPipeline.from_pretrained` reads. Leaves the pipeline in half precision."""
    for part in (pipe.vae, pipe.unet):
        part.register_to_config(_name_or_path="")  # else the folder it was trained in ships too
    pipe.to(dtype=torch.float16).save_pretrained(folder)


def load_base(folder: Path) -> Pipeline:
    """On the CPU, in single precision, laid out for speed."""
    load = StableDiffusionPipeline.from_pretrained
    pipe: Pipeline = load(folder, safety_checker=None, dtype=torch.float32)  # type: ignore[no-untyped-call]
    pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def wear(pipe: Pipeline, path: Path) -> AdapterManager:
    """Put the LoRA file on the pipeline, as the app does; `set_weights` turns it up or down."""
    lora = LoraInput(ref=Ref.parse("demo/lora"), path=path, title=path.stem, architecture=BASE_NAME)
    manager = AdapterManager(pipe, BASE_NAME, LoraCache(0))
    manager.set_adapters([lora])
    return manager


def sample(pipe: Pipeline, prompts: Sequence[str], seed: int | Sequence[int]) -> list[Image.Image]:
    """One picture a prompt, each from the same seed or from one of its own."""
    seeds = [seed] * len(prompts) if isinstance(seed, int) else seed
    generators = [torch.Generator().manual_seed(each) for each in seeds]
    output = pipe(prompt=list(prompts), num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators)
    return list(output.images)


BASE_SHOTS = (
    Shot(prompt="a red circle on white background"),
    Shot(prompt="a blue cat on mint background"),
    Shot(prompt="a yellow house on meadow background"),
    Shot(prompt="a green tree on pink background"),
)


def make_previews(out: Path) -> None:
    """Fill out/pictures and write out/loras.json."""
    base = {"name": BASE_NAME, "folder": "base", "size": 128, "steps": STEPS, "guidance": GUIDANCE}
    listing = {
        "base": {**base, "pictures": _take(out, "base", BASE_SHOTS)},
        "loras": [_entry(out, recipe) for recipe in RECIPES if (out / "loras" / f"{recipe.name}.safetensors").exists()],
    }
    text = json.dumps(listing, indent=2, ensure_ascii=False)
    (out / "loras.json").write_text(text + "\n", encoding="utf-8")


def shoot(out: Path, lora: str | None, shots: tuple[Shot, ...]) -> list[Image.Image]:
    """The pictures of the shots, with the LoRA file of that name on."""
    pipe = load_base(out / "base")
    worn = None if lora is None else wear(pipe, out / "loras" / f"{lora}.safetensors")
    pictures = []
    for shot in shots:
        if worn is not None:
            worn.set_weights([shot.weight])
        pictures += sample(pipe, [shot.prompt], shot.seed)
    return pictures


def _take(out: Path, name: str, shots: tuple[Shot, ...]) -> list[dict[str, Any]]:
    folder = out / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    taken, pictures = [], shoot(out, None if name == "base" else name, shots)
    for number, (shot, picture) in enumerate(zip(shots, pictures, strict=True), start=1):
        picture.save(folder / f"{name}-{number}.webp", quality=90, method=6)
        taken.append({"file": f"pictures/{name}-{number}.webp", **_told(shot)})
    return taken


def _entry(out: Path, recipe: Recipe) -> dict[str, Any]:
    return {
        "file": f"loras/{recipe.name}.safetensors",
        "title": recipe.title,
        "description": recipe.description,
        "kind": recipe.kind,
        "trigger_words": list(recipe.triggers),
        **_told(recipe.shots[0]),
        "rank": recipe.rank,
        "alpha": recipe.rank,
        "format": recipe.form,
        "network": recipe.network,
        "versions": _versions(out, recipe),
        "pictures": _take(out, recipe.name, recipe.shots),
    }


def _versions(out: Path, recipe: Recipe) -> list[dict[str, str]]:
    """Newest first; `v1` is an early and weaker state of the same training."""
    names = {"v2": recipe.name, "v1": f"{recipe.name}-v1"}
    files = {version: f"loras/{name}.safetensors" for version, name in names.items()}
    return [{"name": version, "file": file} for version, file in files.items() if (out / file).exists()]


def _told(shot: Shot) -> dict[str, Any]:
    return {"prompt": shot.prompt, "seed": shot.seed, "weight": shot.weight}
