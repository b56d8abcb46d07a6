"""Which of a comparison's images are generated, and how many in a call."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from tests.hub_ui.generate.building import adapter, job, save_kohya
from tests.hub_ui.generate.comparing import one, pair, same, strip


def test_a_strip_is_the_same_whatever_of_it_was_drawn_before(
    studio: Engine, base: str, kohya: Path, runs: list[int]
) -> None:
    """Last bits depend on how many rows a call has, so that a picture of another call is none of this one."""
    fresh = strip(studio, adapter(kohya), base=base)
    studio.close()
    pair(studio, adapter(kohya, weight=0.6), base=base)
    one(studio, adapter(kohya, weight=0.9), base=base)
    runs.clear()
    assert all(map(same, strip(studio, adapter(kohya), base=base).images, fresh.images))
    assert runs == [10, 10]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture in each call, as of a larger size."""
    monkeypatch.setattr("hub_ui.generate.plan._PIXELS", {"cpu": 32 * 32})


@pytest.mark.usefixtures("one_by_one")
def test_from_a_pair_to_a_strip_only_what_is_new_is_drawn_one_by_one(
    studio: Engine, base: str, kohya: Path, runs: list[int]
) -> None:
    first = pair(studio, adapter(kohya, weight=0.6), base=base)
    runs.clear()
    second = strip(studio, adapter(kohya, weight=0.8), base=base, weights=(0.0, 0.6, 0.9))
    assert runs == [2, 2]
    assert second.images[0].image is first.images[0].image
    assert second.images[1].image is first.images[1].image


@pytest.mark.usefixtures("one_by_one")
def test_pictures_one_by_one_come_by_weight_and_are_answered_in_their_order(
    studio: Engine, base: str, kohya: Path
) -> None:
    asked = job(adapter(kohya), base=base)
    grid = comparison.prompt_grid(asked, ["a cat", "a dog"], (0.0, 1.0))
    made = studio.generate(asked, grid)
    studio.close()
    for cell, picture in zip(grid.cells, made.images, strict=True):
        lora = adapter(kohya, weight=cell.weights[0])
        assert same(picture, one(studio, lora, base=base, prompt=cell.prompt))


@pytest.mark.parametrize(("text", "pixels"), [(False, 32 * 32), (True, 8 * 32 * 32)], ids=["one by one", "together"])
def test_a_strip_is_the_same_the_first_and_the_third_time_and_with_little_memory(
    studio: Engine, base: str, tmp_path: Path, text: bool, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_ui.generate.plan._PIXELS", {"cpu": pixels})
    lora = adapter(save_kohya(tmp_path / "lora.safetensors", text=text))
    first = strip(studio, lora, base=base)
    for free in (100_000_000_000, 1_000_000):
        monkeypatch.setattr("hub_ui.generate.memory.available_memory", lambda free=free: free)
        one(studio, replace(lora, weight=0.3), base=base)
        studio._image_cache.clear()
        again = strip(studio, lora, base=base)
        assert all(map(same, again.images, first.images))


def test_the_same_sheet_again_draws_nothing(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    strip(studio, adapter(kohya), base=base)
    runs.clear()
    again = strip(studio, adapter(kohya), base=base)
    assert (runs, [picture.seconds for picture in again.images]) == ([], [0.0] * 5)


def test_anything_else_that_changes_the_picture_draws_it_anew(studio: Engine, base: str, runs: list[int]) -> None:
    changes: list[dict[str, Any]] = [{}, {"seed": 8}, {"steps": 3}, {"guidance": 3.0}, {"width": 48}, {"negative": "x"}]
    for fields in changes:
        runs.clear()
        one(studio, **{"base": base, "steps": 2, **fields})
        assert runs == [2] * fields.get("steps", 2), fields


def test_equal_cells_are_drawn_once(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    made = strip(studio, adapter(kohya), weights=(0.5, 0.5, 0.5), base=base)
    assert (runs, len(made.images)) == ([2, 2], 3)


def test_rows_of_a_grid_with_different_prompts_share_a_batch(
    studio: Engine, base: str, kohya: Path, runs: list[int]
) -> None:
    asked = job(adapter(kohya), base=base)
    made = studio.generate(asked, comparison.prompt_grid(asked, ["a cat", "a dog"], (0.0, 1.0)))
    assert runs == [8, 8]
    assert len({picture.image.tobytes() for picture in made.images}) == 4
