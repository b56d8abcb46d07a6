"""Which of a comparison's images are generated in a call, and memory that runs out at each stage and level."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from connectors.errors import PreviewError
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Cell
from hub_ui.generate.engine import Engine
from hub_ui.generate.loaded_pipeline import plan_calls
from hub_ui.generate.lora.merge import Originals
from hub_ui.generate.memory.device import LEVELS, Device, OffloadLevel
from hub_ui.generate.result import GenerationResult
from tests.hub_ui.generate.building import adapter, alike, job, one, pair, same, save_kohya, save_lokr, single, strip
from tests.hub_ui.generate.pipelines.short_form import only


def test_a_strip_is_the_same_whatever_was_drawn(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    """Last bits depend on how many rows a call has, so that a picture of another call is none of this one."""
    fresh = strip(studio, adapter(kohya), base=base)
    studio.close()
    pair(studio, adapter(kohya, weight=0.6), base=base)
    one(studio, adapter(kohya, weight=0.9), base=base)
    runs.clear()
    assert all(map(same, strip(studio, adapter(kohya), base=base).images, fresh.images))
    assert runs == [10, 10]


def test_pictures_one_by_one_come_by_weight_and_are_answered_in_their_order(
    studio: Engine, base: str, kohya: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One image in each call, as of a larger size.
    monkeypatch.setattr("hub_ui.generate.plan._PIXELS", {"cpu": 32 * 32})
    asked = job(adapter(kohya), base=base)
    grid = comparison.weight_sweep(asked, (0.0, 1.0), prompts=["a cat", "a dog"])
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
        monkeypatch.setattr("hub_ui.generate.memory.device.available_memory", lambda free=free: free)
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


def test_rows_of_a_grid_of_prompts_share_a_batch(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    asked = job(adapter(kohya), base=base)
    made = studio.generate(asked, comparison.weight_sweep(asked, (0.0, 1.0), prompts=["a cat", "a dog"]))
    assert runs == [8, 8]
    assert len({picture.image.tobytes() for picture in made.images}) == 4


OF_CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@dataclass
class Memory:
    """Room for so many rows in a UNet; more raise `error`. Writes down how many each run had."""

    rows: int = 100
    error: Exception = OF_CUDA
    runs: list[int] = field(default_factory=list)

    def fill(self, rows: int, error: Exception = OF_CUDA) -> None:
        self.rows, self.error = rows, error
        self.runs.clear()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    made, forward = Memory(), UNet2DConditionModel.forward

    def limited(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        made.runs.append(len(sample))
        if len(sample) > made.rows:
            raise made.error
        return forward(self, sample, *args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", limited)
    return made


def three(studio: Engine, kohya: Path, base: str) -> GenerationResult:
    return strip(studio, adapter(kohya), base=base, weights=(0.0, 0.5, 1.0))


def test_a_batch_that_is_too_large_is_drawn_one_by_one(studio: Engine, base: str, kohya: Path, memory: Memory) -> None:
    whole = three(studio, kohya, base).images
    studio.close()
    memory.fill(2)
    made = three(studio, kohya, base)
    assert memory.runs == [6, *[2] * 6]
    assert all(map(alike, made.images, whole))
    assert made.report.notes == ("Memory ran out once. The images were generated one by one then.",)


def test_what_never_fits_is_told_with_what_would(studio: Engine, base: str, kohya: Path, memory: Memory) -> None:
    memory.fill(0)
    with pytest.raises(PreviewError, match=r"32 × 32 .* does not fit into the memory of this CPU") as raised:
        three(studio, kohya, base)
    assert memory.runs == [6, 2]
    assert raised.value.message.endswith("not even piece by piece. Close other programs.")


def test_too_large_a_lora_is_told(studio: Engine, base: str, kohya: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.generate.lora.load.read", Mock(side_effect=MemoryError))
    with pytest.raises(PreviewError, match="does not fit"):
        one(studio, adapter(kohya), base=base)


def test_a_pipeline_without_lists_is_asked_one_by_one(studio: Engine, base: str, kohya: Path, memory: Memory) -> None:
    memory.fill(2, ValueError("`prompt` has to be of type `str`"))
    made = three(studio, kohya, base)
    assert (memory.runs, made.report.notes) == ([6, *[2] * 6], ())
    memory.fill(2, ValueError("`prompt` has to be of type `str`"))
    studio._image_cache.clear()
    three(studio, kohya, base)
    assert memory.runs == [2] * 6


# Where memory runs out -> the method that then raises.
STAGES: dict[str, tuple[Any, str]] = {
    "loading": (StableDiffusionPipeline, "to"),
    "encoding": (CLIPTextModel, "forward"),
    "merging": (Originals, "merge"),
    "denoising": (UNet2DConditionModel, "forward"),
    "decoding": (AutoencoderKL, "_decode"),
}
OFFLOADED = "Memory ran out once. More of the base was kept off the device then, which is slower."
IN_PIECES = "Memory ran out while the image was decoded. It was decoded piece by piece, which changes it a little."


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> list[OffloadLevel]:
    """The levels of the device, which a test may shorten before a base is loaded."""
    levels = list(LEVELS)

    def choose(*_: Any) -> Device:
        return Device(label="card", kind="cpu", dtype="float32", levels=tuple(levels))

    monkeypatch.setattr("hub_ui.generate.plan.choose_device", choose)
    return levels


@pytest.fixture
def lokr(tmp_path: Path) -> Path:
    return save_lokr(tmp_path / "lokr.safetensors")


def run_out(monkeypatch: pytest.MonkeyPatch, stage: str, times: int) -> None:
    """So many calls of the stage's method raise."""
    (owner, name), errors = STAGES[stage], iter([OF_CUDA] * times)
    method = getattr(owner, name)

    def limited(*args: Any, **kwargs: Any) -> Any:
        for error in errors:
            raise error
        return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, limited)


@pytest.mark.parametrize("level", only(LEVELS, "whole"))
def test_where_decoding_runs_out_the_image_is_decoded_in_pieces(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch, level: OffloadLevel
) -> None:
    del levels[: LEVELS.index(level)]
    run_out(monkeypatch, "decoding", 1)
    report = single(studio, adapter(lokr), base=base).report
    assert (report.level, report.notes) == (level, (IN_PIECES,))


def test_memory_that_runs_out_each_time_is_tried_ever_more_rarely(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, tried = UNet2DConditionModel.forward, list[bool]()

    def limited(*args: Any, **kwargs: Any) -> Any:
        if studio._loaded is not None and studio._loaded.placement.level == "whole":
            raise OF_CUDA
        return forward(*args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", limited)
    for _ in range(5):
        tried.append(single(studio, adapter(lokr), base=base).report.notes == (OFFLOADED,))
        studio._image_cache.clear()
    assert tried == [True, True, False, True, False]


def test_a_base_that_fits_at_no_level_is_told(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out(monkeypatch, "loading", 100)
    with pytest.raises(PreviewError, match="this card ran out of it while it was loaded"):
        single(studio, adapter(lokr), base=base)


def cell(prompt: str, weight: float) -> Cell:
    return Cell(label="", prompt=prompt, weights=(weight,))


GRID = [cell(prompt, weight) for prompt in ("cat", "dog") for weight in (1.0, 0.5)]


@pytest.mark.parametrize(
    ("size", "alike", "calls"),
    [
        # Single images are generated by weight, so that merged weights serve the next prompt.
        (1, bool, [[("cat", 0.5)], [("dog", 0.5)], [("cat", 1.0)], [("dog", 1.0)]]),
        # Calls of mixed weights come first, in the order of the comparison.
        (3, bool, [[("cat", 1.0), ("cat", 0.5), ("dog", 1.0)], [("dog", 0.5)]]),
        (8, lambda cell: cell.prompt, [[("cat", 1.0), ("cat", 0.5)], [("dog", 1.0), ("dog", 0.5)]]),
        (8, lambda cell: cell.weights, [[("cat", 0.5), ("dog", 0.5)], [("cat", 1.0), ("dog", 1.0)]]),
    ],
)
def test_what_cannot_be_mixed_has_calls_of_its_own(size: int, alike: Any, calls: list[list[tuple[str, float]]]) -> None:
    assert [[(each.prompt, *each.weights) for each in call] for call in plan_calls(GRID, size, alike)] == calls
