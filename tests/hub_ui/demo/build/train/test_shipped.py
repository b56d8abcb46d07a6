"""The weights that ship do what their list says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hub_ui.demo.build.train.model import Pipeline
from hub_ui.demo.build.train.pipeline import load_base, sample, wear
from hub_ui.demo.build.train.recipes import RECIPES, Recipe
from hub_ui.generate.lora.manager import AdapterManager

WITHOUT = ["a red circle on white background", "a blue cat on mint background"]


@pytest.fixture(scope="module")
def base(weights_folder: Path) -> Pipeline:
    return load_base(weights_folder / "base")


@pytest.fixture(scope="module")
def plain(base: Pipeline) -> list[Image.Image]:
    return sample(base, WITHOUT, 3)


@pytest.fixture
def worn(base: Pipeline, weights_folder: Path, request: pytest.FixtureRequest) -> Iterator[AdapterManager]:
    """The base with the LoRA of the parameter on."""
    manager = wear(base, weights_folder / "loras" / f"{request.param.name}.safetensors")
    yield manager
    manager.disable()


def gap(first: Image.Image, second: Image.Image) -> float:
    """Mean difference of the pixels, 0 to 255."""
    return float(np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).mean())


def listed(folder: Path) -> dict[str, Any]:
    listing: dict[str, Any] = json.loads((folder / "loras.json").read_text(encoding="utf-8"))
    return listing


def test_the_base_draws_a_red_circle_on_white(plain: list[Image.Image]) -> None:
    pixels = np.asarray(plain[0], dtype=int)
    red = (pixels[..., 0] > 170) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90)
    white = pixels.min(axis=-1) > 215
    assert red.mean() > 0.08
    assert white.mean() > 0.4
    assert red.mean() + white.mean() > 0.85


def test_an_unknown_word_alone_changes_nothing_much(base: Pipeline, plain: list[Image.Image]) -> None:
    worded = sample(base, [f"{prompt}, inkline" for prompt in WITHOUT], 3)
    assert max(gap(a, b) for a, b in zip(worded, plain, strict=True)) < 5


TRIGGERED = [recipe for recipe in RECIPES if recipe.triggers]
QUIET = 12.0
LOUD = 12.0


@pytest.mark.parametrize("worn", TRIGGERED, indirect=True, ids=lambda recipe: recipe.name)
@pytest.mark.usefixtures("worn")
def test_a_lora_without_its_trigger_changes_little(base: Pipeline, plain: list[Image.Image]) -> None:
    pictures = sample(base, WITHOUT, 3)
    assert max(gap(a, b) for a, b in zip(pictures, plain, strict=True)) < QUIET


@pytest.mark.parametrize(("worn", "recipe"), [(r, r) for r in TRIGGERED], indirect=["worn"], ids=lambda r: r.name)
def test_a_lora_with_its_trigger_changes_the_picture(base: Pipeline, worn: AdapterManager, recipe: Recipe) -> None:
    shot = recipe.shots[0]
    on, off = (at_weight(base, worn, shot.prompt, shot.seed, weight) for weight in (shot.weight, 0.0))
    assert gap(on, off) > LOUD


def at_weight(base: Pipeline, worn: AdapterManager, prompt: str, seed: int, weight: float) -> Image.Image:
    worn.set_weights([weight])
    return sample(base, [prompt], seed)[0]


def test_every_listed_file_is_there_and_every_file_is_listed(weights_folder: Path) -> None:
    listing = listed(weights_folder)
    named = {version["file"] for lora in listing["loras"] for version in lora["versions"]}
    named |= {picture["file"] for entry in [listing["base"], *listing["loras"]] for picture in entry["pictures"]}
    there = {path.relative_to(weights_folder).as_posix() for path in weights_folder.glob("[lp]*/*")}
    assert named == there


def test_everything_together_is_under_fifteen_megabytes(weights_folder: Path) -> None:
    assert sum(path.stat().st_size for path in weights_folder.rglob("*") if path.is_file()) < 15_000_000
