"""FLUX.2, Qwen-Image, Z-Image, Lumina 2, Sana, HiDream, Anima, Krea 2 and films: what a file does to a real network.

Measured by diffusers where it reads the format, and always by adding the file's own arithmetic to the weights by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_ui.preview.adapters.cache import Cache
from hub_ui.preview.adapters.rack import Rack
from hub_ui.preview.job import Adapter
from tests.hub_ui.preview.building import adapter
from tests.hub_ui.preview.pipelines import film_rows, image_rows
from tests.hub_ui.preview.pipelines.frame import Base, File, by_hand, draw, load, plain
from tests.hub_ui.preview.pipelines.trained import Row

# PEFT says so of every second adapter of a model.
pytestmark = pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute")

NEAR, SEEN = 1e-4, 1e-2
HALF, WHOLE, STACKED = (0.5, 0.0), (1.0, 0.0), (0.7, -0.4)
ROWS = [*image_rows.ROWS, *film_rows.ROWS]


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """One base twice: what diffusers loads LoRAs into, and what we do. `bare` is what both draw without any."""

    measure: Any
    own: Any
    bare: torch.Tensor


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Base], Opened]:
    kept: dict[str, Opened] = {}

    def open_base(base: Base) -> Opened:
        name = f"{base.pipeline}-{base.save.__name__}"
        if name not in kept:
            folder = base.save(tmp_path_factory.mktemp(name))
            own = load(base, folder)
            kept[name] = Opened(measure=load(base, folder), own=own, bare=draw(own, base))
        return kept[name]

    return open_base


def wanted(row: Row, on: Opened, files: list[File], paths: list[Path]) -> list[torch.Tensor]:
    """Half, whole, and two stacked. Where diffusers draws the measure, arithmetic must agree with it first."""
    if not row.loads:
        return by_hand(on.own, row.base, files, [HALF, WHOLE, STACKED])
    drawn = plain(on.measure, row.base, paths, [HALF, WHOLE, STACKED])
    assert apart(drawn[2], by_hand(on.own, row.base, files, [STACKED])[0]) < NEAR
    return drawn


def ours(row: Row, on: Opened, adapters: list[Adapter]) -> list[torch.Tensor]:
    """None, half, whole, two stacked, and none again."""
    rack = Rack(on.own, row.base.architecture, Cache(2**30))
    try:
        return [draw(on.own, row.base) for _ in _each_state(rack, adapters)]
    finally:
        rack.close()


def _each_state(rack: Rack, adapters: list[Adapter]) -> Any:
    covered = rack.switch(adapters[:1]).coverage
    assert [coverage.sentence() for coverage in covered if not coverage.whole] == []
    for weight in (0.0, 0.5, 1.0):
        rack.weigh([weight])
        yield weight
    rack.switch(adapters)
    rack.weigh(STACKED)
    yield STACKED
    rack.off()
    yield None


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_file_does_what_diffusers_does_with_it_or_what_its_numbers_say(
    row: Row, opened: Callable[[Base], Opened], tmp_path: Path
) -> None:
    on = opened(row.base)
    files = [row.file(on.own, seed) for seed in (1, 2)]
    paths = [file.save(tmp_path / f"{i}.safetensors") for i, file in enumerate(files)]
    half, whole, stacked = wanted(row, on, files, paths)
    none, *drawn, none_again = ours(row, on, [adapter(path, architecture=row.base.architecture) for path in paths])
    assert torch.equal(none, on.bare)
    assert torch.equal(none_again, on.bare)
    assert apart(whole, on.bare) > SEEN
    assert [apart(a, b) < NEAR for a, b in zip(drawn, (half, whole, stacked), strict=True)] == [True, True, True]
