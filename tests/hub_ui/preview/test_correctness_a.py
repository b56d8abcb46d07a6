"""Drawing with a LoRA here gives what diffusers alone gives, or, where it can't read the file, what the file means.

One row for each format of an architecture, in pipelines/rows_a.py: UNets, Stable Diffusion 3, FLUX.1, Chroma, PixArt,
AuraFlow and CogView4. Latents in float32, for weights 0, 0.5 and 1 and for two LoRAs at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hub_ui.preview.adapters.cache import Cache
from tests.hub_ui.preview.pipelines.bench import WEIGHTS, Bench, apart, by_arithmetic, by_diffusers, by_rack
from tests.hub_ui.preview.pipelines.rows_a import ROWS, Row


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(folder=tmp_path_factory.mktemp("bench"), cache=Cache(2**28))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_lora_draws_what_it_draws_by_diffusers_alone(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    files = [row.make(tiny.theirs, seed) for seed in (1, 2)]
    paths = [file.save(tmp_path / f"{i}.safetensors") for i, file in enumerate(files)]

    wanted = by_arithmetic(tiny, files) if row.alone else by_diffusers(tiny, paths)
    made = by_rack(tiny, paths, bench.cache)

    assert apart(made, wanted, row.stacked) == {}
    assert torch.equal(made[WEIGHTS[0]], tiny.drawn)
    assert (made[WEIGHTS[2]] - tiny.drawn).abs().max() > 0.1, "an effect too small to compare"
