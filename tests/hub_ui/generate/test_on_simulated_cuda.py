"""The engine on the second of two simulated GPUs: the images of the CPU at each level, and nothing on the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from connectors.errors import PreviewError
from hub_ui.generate import comparison
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.engine import Engine
from hub_ui.generate.memory import Device, choose_device
from hub_ui.generate.memory_plan import LEVELS, OffloadLevel
from hub_ui.generate.request import GenerationCancelled, LoraInput, Step
from hub_ui.generate.result import GenerationResult
from tests.hub_ui.generate.building import adapter, job, save_dora, save_kohya, save_lokr
from tests.hub_ui.generate.comparing import alike, one
from tests.hub_ui.generate.simulated_cuda import Card, SimulatedCuda, simulated_cuda

GIGABYTE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """LoRAs, made in a folder, and the weights of the images."""

    loras: Callable[[Path], tuple[LoraInput, ...]]
    weights: tuple[float, ...] = (1.0,)
    adapters: str = "hooked"


def of(save: Callable[..., Path], **fields: Any) -> Callable[[Path], tuple[LoraInput, ...]]:
    return lambda folder: (adapter(save(folder / "lora.safetensors", **fields)),)


def two(folder: Path) -> tuple[LoraInput, ...]:
    return tuple(adapter(save_kohya(folder / f"{seed}.safetensors", seed=seed)) for seed in (1, 2))


# Images of several weights are rows of one call, for which nothing is merged.
SHEETS: Mapping[str, Sheet] = {
    "merged": Sheet(loras=of(save_kohya), adapters="merged"),
    "hooked": Sheet(loras=of(save_kohya), weights=(0.5, 1.0)),
    "two": Sheet(loras=two, weights=(0.5, 1.0)),
    "text encoder": Sheet(loras=of(save_kohya, text=True), adapters="merged and hooked"),
    "text encoder in rows": Sheet(loras=of(save_kohya, text=True), weights=(0.5, 1.0)),
    "dora": Sheet(loras=of(save_dora), adapters="merged"),
    "dora in rows": Sheet(loras=of(save_dora), weights=(0.5, 1.0)),
    "lokr in rows": Sheet(loras=of(save_lokr), weights=(0.5, 1.0)),
}
IN_SHORT = ("hooked", "merged")
CASES = [
    pytest.param(name, level, marks=() if name in IN_SHORT else pytest.mark.exact)
    for name in SHEETS
    for level in LEVELS
]


@contextmanager
def second_gpu(
    monkeypatch: pytest.MonkeyPatch, level: OffloadLevel = "whole", *, limit: int = 24 * GIGABYTE
) -> Iterator[SimulatedCuda]:
    """The second of two GPUs is the larger one, and computes in float32 as the CPU does, from that level on.

    `limit` are the bytes that it really has, whatever it says.
    """

    def choose(*args: Any) -> Device:
        return replace(choose_device(*args), dtype="float32", levels=LEVELS[LEVELS.index(level) :])

    with simulated_cuda(Card(memory=GIGABYTE), Card(memory=24 * GIGABYTE)) as cuda, monkeypatch.context() as patch:
        cuda.cards[1].limit = limit
        patch.setattr("hub_ui.generate.engine.choose_device", choose)
        yield cuda


def engine(folder: Path) -> Engine:
    return Engine(Source(endpoint="http://127.0.0.1:9", cache=folder / "cache"))


def draw(studio: Engine, base: str, folder: Path, sheet: Sheet) -> GenerationResult:
    asked = job(*sheet.loras(folder), base=base)
    return studio.generate(asked, comparison.weight_sweep(asked, sheet.weights))


@pytest.mark.parametrize(("name", "level"), CASES)
def test_the_second_gpu_draws_what_the_cpu_draws_and_the_first_is_left_alone(
    studio: Engine, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, level: OffloadLevel
) -> None:
    sheet = SHEETS[name]
    expected = draw(studio, base, tmp_path, sheet)
    with second_gpu(monkeypatch, level) as cuda:
        there = engine(tmp_path)
        made = draw(there, base, tmp_path, sheet)
        there.close()
    assert (made.report.level, made.report.adapters) == (level, sheet.adapters)
    # Convolutions have another layout on a CPU, which rounds otherwise.
    assert all(map(alike, made.images, expected.images))
    assert (cuda.cards[0].allocations, cuda.unindexed) == (0, [])
    assert cuda.queued == {1}
    assert [card.used for card in cuda.cards] == [0, 0]


@pytest.mark.parametrize(
    ("limit", "level"),
    [
        pytest.param(5_150_000, "model_offload", marks=pytest.mark.exact),
        (3_000_000, "group_offload"),
        pytest.param(1_300_000, "group_offload", marks=pytest.mark.exact),
    ],
)
def test_a_gpu_with_less_memory_than_it_says_draws_the_same_at_a_lower_level(
    studio: Engine, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, level: OffloadLevel
) -> None:
    expected = draw(studio, base, tmp_path, SHEETS["merged"])
    with second_gpu(monkeypatch, limit=limit) as cuda:
        there = engine(tmp_path)
        made = draw(there, base, tmp_path, SHEETS["merged"])
        there.close()
    assert made.report.level == level
    assert all(map(alike, made.images, expected.images))
    assert [card.used for card in cuda.cards] == [0, 0]


def test_a_gpu_without_room_for_a_layer_says_so_and_draws_once_there_is_room(
    studio: Engine, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = draw(studio, base, tmp_path, SHEETS["merged"])
    with second_gpu(monkeypatch, limit=500_000) as cuda:
        there = engine(tmp_path)
        with pytest.raises(PreviewError, match="does not fit into the memory of this Simulated card"):
            draw(there, base, tmp_path, SHEETS["merged"])
        cuda.cards[1].limit = None
        made = draw(there, base, tmp_path, SHEETS["merged"])
        there.close()
    assert all(map(alike, made.images, expected.images))
    assert [card.used for card in cuda.cards] == [0, 0]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.new("RGB", (32, 32), (200, 40, 10)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("level", [pytest.param(level, marks=pytest.mark.exact) for level in LEVELS])
def test_an_image_to_start_from_is_drawn_over_there_as_on_the_cpu(
    studio: Engine, base: str, tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch, level: OffloadLevel
) -> None:
    fields: dict[str, Any] = {"base": base, "image": photo, "steps": 4}
    expected = one(studio, **fields)
    with second_gpu(monkeypatch, level) as cuda:
        there = engine(tmp_path)
        made = one(there, **fields)
        there.close()
    assert alike(made, expected)
    assert (cuda.cards[0].allocations, cuda.unindexed, cuda.cards[1].used) == (0, [], 0)


@pytest.mark.parametrize("starts", [True, pytest.param(False, marks=pytest.mark.exact)])
def test_a_cancelled_image_leaves_no_part_on_the_gpu(
    base: str, tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch, starts: bool
) -> None:
    asked, steps = job(base=base, image=photo if starts else None, steps=4), list[Step]()
    with second_gpu(monkeypatch, "model_offload"):
        there = engine(tmp_path)
        with pytest.raises(GenerationCancelled):
            # In the middle of the network's work.
            there.generate(
                asked, comparison.single(asked), on_progress=steps.append, is_cancelled=lambda: len(steps) > 3
            )
        assert devices(there) == {"cpu"}


def devices(studio: Engine) -> set[str]:
    """Where the weights of its base are."""
    pipe: Any = studio._loaded.pipe if studio._loaded else None
    return {str(value.device) for part in (pipe.text_encoder, pipe.unet, pipe.vae) for value in part.parameters()}
