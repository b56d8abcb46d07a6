"""The engine on the second of two simulated GPUs: the images of the CPU at each level, and nothing on the first."""

import gc
from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils._pytree import tree_leaves

from connectors.errors import PreviewError
from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.memory_plan import LEVELS, OffloadLevel, footprint, peak_memory
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import Callbacks, GenerationCancelled, Step
from hub_ui.generate.settings import resolve_request
from tests.hub_ui.generate.building import adapter, job, save_kohya
from tests.hub_ui.generate.comparing import alike, apart, one, pair, same
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.flux_rows import control_of_diffusers, widen
from tests.hub_ui.generate.pipelines.frame import load
from tests.hub_ui.generate.pipelines.short_form import only
from tests.hub_ui.generate.second_gpu import GIGABYTE, SHEETS, Sheet, draw, engine, of, second_gpu
from tests.hub_ui.generate.simulated_cuda import SimulatedCuda

IN_SHORT = (("merged", LEVELS[0]), ("hooked", LEVELS[1]), ("merged", LEVELS[2]), ("hooked", LEVELS[3]))
BESIDE_BASE = Sheet(loras=of(save_kohya), weights=(0.0, 1.0))


@pytest.mark.parametrize(("name", "level"), only(product(SHEETS, LEVELS), *IN_SHORT))
def test_the_second_gpu_draws_what_the_cpu_draws_and_the_first_is_left_alone(
    studio: Engine, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, level: OffloadLevel
) -> None:
    sheet = SHEETS[name]
    expected = draw(studio, base, tmp_path, sheet)
    with second_gpu(monkeypatch, level) as cuda, closing(engine(tmp_path)) as there:
        made = draw(there, base, tmp_path, sheet)
    assert (made.report.level, made.report.adapters) == (level, sheet.adapters)
    # Convolutions have another layout on a CPU, which rounds otherwise.
    assert all(map(alike, made.images, expected.images))
    assert (cuda.cards[0].allocations, cuda.unindexed) == (0, [])
    assert cuda.queued == {1}
    assert [card.used for card in cuda.cards] == [0, 0]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.new("RGB", (32, 32), (200, 40, 10)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.exact
@pytest.mark.parametrize("level", LEVELS)
def test_an_image_to_start_from_is_drawn_over_there_as_on_the_cpu(
    studio: Engine, base: str, tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch, level: OffloadLevel
) -> None:
    fields: dict[str, Any] = {"base": base, "image": photo, "steps": 4}
    expected = one(studio, **fields)
    with second_gpu(monkeypatch, level) as cuda, closing(engine(tmp_path)) as there:
        made = one(there, **fields)
    assert alike(made, expected)
    assert (cuda.cards[0].allocations, cuda.unindexed, cuda.cards[1].used) == (0, [], 0)


@pytest.mark.parametrize("level", only(LEVELS, "whole"))
def test_a_control_lora_follows_its_image_there_as_on_the_cpu(
    studio: Engine, tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch, level: OffloadLevel
) -> None:
    base = TINY["flux1 dev"].save(tmp_path / "flux")
    path = control_of_diffusers(widen(load(TINY["flux1 dev"], base)), 1).save(tmp_path / "lora.safetensors")
    lora = adapter(path, architecture="flux1")
    fields: dict[str, Any] = {"base": str(base), "control": photo, "control_kind": "ready"}
    # The image without the LoRA has the narrow input.
    expected = pair(studio, lora, **fields)
    with second_gpu(monkeypatch, level) as cuda, closing(engine(tmp_path)) as there:
        made = pair(there, lora, **fields)
    assert all(map(alike, made.images, expected.images))
    assert apart(*made.images) > 1
    assert (cuda.cards[0].allocations, cuda.unindexed, cuda.cards[1].used) == (0, [], 0)


@pytest.mark.exact
def test_in_half_precision_the_levels_but_the_one_on_the_disk_give_the_same_bits(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    for level in LEVELS:
        with second_gpu(monkeypatch, level, dtype="bfloat16"), closing(engine(tmp_path)) as there:
            made[level] = draw(there, base, tmp_path, SHEETS["hooked"]).images[0]
    assert [same(made["whole"], made[level]) for level in LEVELS] == [True, True, True, False]


@pytest.mark.exact
@pytest.mark.parametrize(("dtype", "shades"), [("float32", 1), ("bfloat16", 8)])
def test_alone_and_beside_its_base_a_loras_image_is_the_same_but_for_rounding(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, shades: int
) -> None:
    with second_gpu(monkeypatch, dtype=dtype), closing(engine(tmp_path)) as there:
        alone, beside = draw(there, base, tmp_path, SHEETS["merged"]), draw(there, base, tmp_path, BESIDE_BASE)
    assert (alone.report.adapters, beside.report.adapters, beside.report.rows) == ("merged", "hooked", 2)
    one, other = (np.asarray(made.images[-1].image, int) for made in (alone, beside))
    assert np.abs(one - other).max() <= shades


def test_each_request_begins_at_the_level_that_is_planned_for_its_size(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = job(base=base), job(base=base, width=512, height=512)
    spec, levels = choose_spec(large), list[OffloadLevel]()
    needs = footprint(spec, "float32", resolve_request(large, spec))
    # What is free is enough for all of it beside a small image, and for parts of it beside a large one.
    whole, in_parts = (1.05 * peak_memory(needs, level) for level in LEVELS[:2])
    with second_gpu(monkeypatch) as cuda:
        for card, free in zip(cuda.cards, (0, round(whole + in_parts) // 2), strict=True):
            card.by_others = card.memory - free
        there = engine(tmp_path)
        for asked in (small, large, small, large):
            there.load(asked)
            assert there._loaded is not None
            levels.append(there._loaded.placement.level)
        there.close()
    assert levels == ["whole", "model_offload"] * 2


def test_another_base_has_what_is_free_without_the_one_in_memory_or_leaves_it_there(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    larger = str(TINY["flux1 dev"].save(tmp_path / "flux"))
    with second_gpu(monkeypatch) as cuda:
        for card, free in zip(cuda.cards, (0, GIGABYTE), strict=True):
            card.by_others = card.memory - free
        there = engine(tmp_path)
        there.load(job(base=base))
        with pytest.raises(PreviewError, match=r"of the memory of this Simulated card, and 1 GB are free"):
            there.load(job(base=larger))
        assert there.loaded_base == choose_spec(job(base=base))
        there.close()


def test_memory_that_other_programs_took_while_a_base_was_fetched_is_told(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = GIGABYTE
    monkeypatch.setattr("hub_ui.generate.engine.available_memory", lambda: free)
    with second_gpu(monkeypatch), closing(engine(tmp_path)) as there:
        there.load(job(base=base))
        free = 1
        with pytest.raises(PreviewError, match=r"of memory, and 0\.0 GB are free"):
            there.load(job(base=str(TINY["flux1 dev"].save(tmp_path / "flux"))))


# What stays on the GPU after an image: the parts of the base, and the scheduler's tables of the last image.
STAYS: Mapping[OffloadLevel, set[str]] = {
    "whole": {"text_encoder", "unet", "vae", "scheduler"},
    "model_offload": {"scheduler"},
    "group_offload": {"vae", "scheduler"},
    "disk_offload": {"vae", "scheduler"},
}


@pytest.mark.parametrize("level", only(LEVELS, "model_offload"))
@pytest.mark.parametrize("name", only(["merged", "text encoder in rows"], "merged"))
def test_after_an_image_only_what_the_table_names_stays_on_the_gpu(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, level: OffloadLevel
) -> None:
    with second_gpu(monkeypatch, level) as cuda, closing(engine(tmp_path)) as there:
        draw(there, base, tmp_path, SHEETS[name])
        gc.collect()
        owners = {name: held(tensors) for name, tensors in tensors_of(there).items()}
        assert {name for name, size in owners.items() if size} == STAYS[level]
        assert sum(owners.values()) == used(there, cuda)


def tensors_of(studio: Engine) -> dict[str, list[Any]]:
    """By the part of the pipeline that has them."""
    pipe: Any = studio._loaded.pipe if studio._loaded else None
    parts = {name: getattr(pipe, name) for name in ("text_encoder", "unet", "vae")}
    tables = [value for value in vars(pipe.scheduler).values() if isinstance(value, torch.Tensor)]
    return {name: [*part.parameters(), *part.buffers()] for name, part in parts.items()} | {"scheduler": tables}


def used(studio: Engine, cuda: SimulatedCuda) -> int:
    """The bytes of the GPU beside the answers of text encoders, which are kept for the next image."""
    return cuda.cards[1].used - held(tree_leaves(list(studio._loaded.prompt_cache._answers.values())))  # type: ignore[union-attr]


def held(tensors: Iterable[torch.Tensor]) -> int:
    """The bytes of the GPU's memory."""
    there = {
        id(each.untyped_storage()): each.untyped_storage()
        for each in tensors
        if isinstance(each, torch.Tensor) and str(each.device) == "cuda:1"
    }
    return sum(storage.nbytes() for storage in there.values())


@pytest.mark.parametrize("level", only(LEVELS, "model_offload"))
@pytest.mark.parametrize("starts", only([True, False], True))
def test_a_cancelled_image_leaves_nothing_on_the_gpu_and_the_next_is_as_if_it_had_not_been(
    base: str, tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch, starts: bool, level: OffloadLevel
) -> None:
    fields: dict[str, Any] = {"base": base, "image": photo if starts else None, "steps": 4}
    with second_gpu(monkeypatch, level) as cuda, closing(engine(tmp_path)) as there:
        expected = one(there, **fields)
        gc.collect()
        before = used(there, cuda)
        for last in (0, 3):
            there._image_cache.clear()
            cancel(there, last, **fields)
            gc.collect()
            assert used(there, cuda) <= before
        assert same(one(there, **fields), expected)


def cancel(studio: Engine, last: int, **fields: Any) -> None:
    """After so many reports: at first before anything is computed, then in the middle of the network's work."""
    asked, steps = job(**fields), list[Step]()
    with pytest.raises(GenerationCancelled):
        studio.generate(
            asked, comparison.single(asked), Callbacks(on_progress=steps.append, is_cancelled=lambda: len(steps) > last)
        )
