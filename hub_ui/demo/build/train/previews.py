"""Example images of the shipped LoRAs, and the list that describes their files."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from hub_ui.demo.build.train.pipeline import BASE_NAME, GUIDANCE, STEPS, load_base, sample, wear
from hub_ui.demo.build.train.recipes import RECIPES, Recipe, Shot

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
