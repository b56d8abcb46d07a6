"""The engine on the second of two simulated GPUs, and what it is to draw there."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hub_ui.generate.base_models.download import Source
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.memory.device import LEVELS, Device, OffloadLevel
from hub_ui.generate.memory.plan import choose_device
from hub_ui.generate.request import LoraInput
from hub_ui.generate.result import GenerationResult
from tests.hub_ui.generate.building import adapter, job, save_dora, save_kohya, save_lokr
from tests.hub_ui.generate.simulated_cuda import Card, SimulatedCuda, simulated_cuda

GIGABYTE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """LoRAs, made in a folder, the weights of the images, and their prompts where there are several."""

    loras: Callable[[Path], tuple[LoraInput, ...]]
    weights: tuple[float, ...] = (1.0,)
    prompts: tuple[str, ...] = ("a red cat",)
    adapters: str = "hooked"


def of(save: Callable[..., Path], **fields: Any) -> Callable[[Path], tuple[LoraInput, ...]]:
    return lambda folder: (adapter(save(folder / "lora.safetensors", **fields)),)


def two(folder: Path) -> tuple[LoraInput, ...]:
    return tuple(adapter(save_kohya(folder / f"{seed}.safetensors", seed=seed)) for seed in (1, 2))


# Images of several weights are rows of one call, for which nothing is merged.
SHEETS: Mapping[str, Sheet] = {
    "merged": Sheet(loras=of(save_kohya), adapters="merged"),
    "hooked": Sheet(loras=of(save_kohya), weights=(0.5, 1.0)),
    "prompts in a batch": Sheet(loras=of(save_kohya), prompts=("a red cat", "a dog"), adapters="merged"),
    "two": Sheet(loras=two, weights=(0.5, 1.0)),
    "text encoder": Sheet(loras=of(save_kohya, text=True), adapters="merged and hooked"),
    "text encoder in rows": Sheet(loras=of(save_kohya, text=True), weights=(0.5, 1.0)),
    "dora": Sheet(loras=of(save_dora), adapters="merged"),
    "dora in rows": Sheet(loras=of(save_dora), weights=(0.5, 1.0)),
    "lokr in rows": Sheet(loras=of(save_lokr), weights=(0.5, 1.0)),
}


@contextmanager
def second_gpu(
    monkeypatch: pytest.MonkeyPatch,
    level: OffloadLevel = "whole",
    *,
    limit: int = 24 * GIGABYTE,
    dtype: str = "float32",
) -> Iterator[SimulatedCuda]:
    """The second of two GPUs is the larger one, and computes in float32 as the CPU does, from that level on.

    `limit` are the bytes that it really has, whatever it says.
    """

    def choose(*args: Any) -> Device:
        return replace(choose_device(*args), dtype=dtype, levels=LEVELS[LEVELS.index(level) :])

    with simulated_cuda(Card(memory=GIGABYTE), Card(memory=24 * GIGABYTE)) as cuda, monkeypatch.context() as patch:
        cuda.cards[1].limit = limit
        patch.setattr("hub_ui.generate.plan.choose_device", choose)
        yield cuda


def engine(folder: Path) -> Engine:
    return Engine(Source(endpoint="http://127.0.0.1:9", cache=folder / "cache"))


def draw(studio: Engine, base: str, folder: Path, sheet: Sheet) -> GenerationResult:
    asked = job(*sheet.loras(folder), base=base)
    return studio.generate(asked, comparison.weight_sweep(asked, sheet.weights, prompts=sheet.prompts))
