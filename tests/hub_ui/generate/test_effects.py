"""The demo's own LoRAs do what they claim, more of it the higher the weight, and nothing much without their words."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hub_ui.generate.base_models import PACKAGED
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationRequest, LoraInput
from tests.hub_ui.generate.building import adapter
from tests.hub_ui.generate.pipelines.short_form import only

pytestmark = pytest.mark.skipif(
    not (PACKAGED / "model_index.json").is_file(), reason="the demo's weights are not trained yet"
)
Pixels = NDArray[np.float64]

PROMPTS = (
    "a red circle on white background",
    "a blue cat on mint background",
    "a yellow house on pink background",
    "a green tree on grey background",
)
STRIP = (0.0, 0.3, 0.6, 0.9, 1.2)
SIDE = 128


def background(picture: Pixels) -> Pixels:
    corners = np.concatenate([picture[:12, :12].reshape(-1, 3), picture[:12, -12:].reshape(-1, 3)])
    colour: Pixels = np.median(corners, axis=0)
    return colour


def thing(picture: Pixels) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.abs(picture - background(picture)).max(-1) > 60
    return mask


def hollow(picture: Pixels) -> float:
    """How much of the middle third of the thing shows the background."""
    rows, columns = np.where(thing(picture))
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    high, wide = (bottom - top) // 3, (right - left) // 3
    middle = thing(picture)[top + high : bottom - high + 1, left + wide : right - wide + 1]
    return float(1 - middle.mean())


def darkness(picture: Pixels) -> float:
    return float(1 - picture.mean() / 255)


def leftness(picture: Pixels) -> float:
    """The thing's centre from the right edge, in pixels."""
    mask = thing(picture)
    return float(SIDE - (mask * np.arange(SIDE)).sum() / mask.sum())


def size(picture: Pixels) -> float:
    return float(thing(picture).mean())


def greyness(picture: Pixels) -> float:
    """How much of the thing has no colour: sheet metal, teeth and eyes."""
    mask = thing(picture)
    grey = picture.max(-1) - picture.min(-1) < 60
    return float((grey & mask).sum() / mask.sum())


def flakes(picture: Pixels) -> float:
    """How rough the image is from row to row."""
    return float(np.abs(np.diff(picture.mean(-1), axis=0)).mean())


def hat(picture: Pixels) -> float:
    """Black in the upper half."""
    return float((picture[: SIDE // 2].max(-1) < 70).mean())


CLAIMS: dict[str, Callable[[Pixels], float]] = {
    "ink-outline": hollow,
    "neon-night": darkness,
    "place-left": leftness,
    "size-slider": size,
    "sks-robot": greyness,
    "snowfall": flakes,
    "top-hat": hat,
    "zog-monster": greyness,
}


def lora(name: str) -> LoraInput:
    told = json.loads((PACKAGED.parent / "loras.json").read_text(encoding="utf-8"))["loras"]
    words = next(tuple(each["trigger_words"]) for each in told if Path(each["file"]).stem == name)
    path = PACKAGED.parent / "loras" / f"{name}.safetensors"
    return adapter(path, architecture="tiny-shapes", base_model="tiny-shapes", trigger_words=words)


def job(name: str, **fields: Any) -> GenerationRequest:
    return GenerationRequest(adapters=(lora(name),), **{"prompt": PROMPTS[0], "seed": 1, "steps": 8, **fields})


@pytest.fixture(scope="module")
def studio() -> Iterator[Engine]:
    built = Engine(Source(endpoint="http://127.0.0.1:9", cache=None), timings=None)
    yield built
    built.close()


def pixels(picture: Any) -> Pixels:
    return np.asarray(picture.image, dtype=np.float64)


@pytest.mark.exact
@pytest.mark.parametrize("name", CLAIMS)
def test_the_effect_grows_with_the_weight(studio: Engine, name: str) -> None:
    asked = job(name)
    made = studio.generate(asked, comparison.weight_sweep(asked, STRIP, prompts=PROMPTS))
    measured = np.array([CLAIMS[name](pixels(picture)) for picture in made.images]).reshape(len(PROMPTS), len(STRIP))
    mean = measured.mean(axis=0)
    assert (np.diff(mean) > 0).all(), f"{name}: {np.round(mean, 3)}"


@pytest.mark.parametrize("name", only((name for name in CLAIMS if name != "size-slider"), "snowfall"))
def test_the_trigger_words_switch_the_effect_on(studio: Engine, name: str) -> None:
    differences = []
    for prompt in PROMPTS:
        asked = job(name, prompt=prompt)
        without, with_words = studio.generate(asked, comparison.trigger_comparison(asked)).images
        differences.append(np.abs(pixels(without) - pixels(with_words)).mean())
    assert np.mean(differences) > 5


@pytest.mark.parametrize("name", CLAIMS)
def test_each_lora_fits_the_base_and_shows(studio: Engine, name: str) -> None:
    asked = job(name, steps=4)
    made = studio.generate(asked, comparison.before_after(asked))
    without, with_lora = map(pixels, made.images)
    assert (made.report.base, [coverage.whole for coverage in made.report.coverage]) == ("Tiny Shapes", [True])
    assert without.std() > 10
    assert np.abs(without - with_lora).mean() > 1


def test_every_lora_of_the_demo_has_a_claim_that_is_measured() -> None:
    told = json.loads((PACKAGED.parent / "loras.json").read_text(encoding="utf-8"))["loras"]
    assert {Path(each["file"]).stem for each in told} == set(CLAIMS)
