"""Generating with a LoRA here gives what diffusers alone gives, or, where it can't read the file, what the file means.

One row for each format of an architecture, in pipelines/*_rows.py. Latents in float32, for weights 0, 0.5 and 1 and for
two LoRAs at once.
"""

from pathlib import Path

import pytest
import torch

from tests.hub_ui.generate.pipelines import transformer_rows
from tests.hub_ui.generate.pipelines.algorithm_rows import ALGORITHMS
from tests.hub_ui.generate.pipelines.bench import (
    TOLERANCE,
    WEIGHTS,
    Bench,
    apart,
    by_arithmetic,
    by_diffusers,
    by_manager,
    distance,
    two,
    with_adapters,
    written,
)
from tests.hub_ui.generate.pipelines.dit_rows import OTHERS, SD3S
from tests.hub_ui.generate.pipelines.flux_rows import FLUXES
from tests.hub_ui.generate.pipelines.frame import draw
from tests.hub_ui.generate.pipelines.rows import Row
from tests.hub_ui.generate.pipelines.short_form import every_third, one_of_each
from tests.hub_ui.generate.pipelines.unet_rows import UNETS

FORMATS = (*UNETS, *SD3S, *FLUXES, *OTHERS, *transformer_rows.ROWS)
ROWS = (*FORMATS, *ALGORITHMS)
ONE_EACH = list({row.base.name: row for row in reversed(FORMATS)}.values())
OFF, _, WHOLE, STACKED = WEIGHTS


def name_of_base(row: Row) -> object:
    return row.base.name


def application_of(row: Row) -> object:
    """How the manager applies it: each of these in its own way. Their formulas are in lora/test_algorithms.py."""
    return row.name if row.name in ("LoHa", "LoKr", "DoRA", "OFT") else None


# The scope has the tests of a row come one after another, so that one process loads its base.
@pytest.mark.parametrize("row", one_of_each(ROWS, name_of_base, application_of), ids=str, scope="module")
def test_a_lora_draws_what_it_draws_by_diffusers_alone(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    files, paths = written(row, tiny, tmp_path)

    wanted = by_arithmetic(tiny, files) if row.alone else by_diffusers(tiny, paths)
    made = by_manager(tiny, paths, bench.cache)

    assert apart(made, wanted) == {}
    assert torch.equal(made[OFF], tiny.drawn)
    assert distance(made[WHOLE], tiny.drawn) > 0.05, "an effect too small to compare"


@pytest.mark.parametrize("row", every_third(ONE_EACH, 0), ids=str, scope="module")
def test_a_file_merged_into_the_weights_draws_what_it_draws_beside_them(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    with with_adapters(tiny, written(row, tiny, tmp_path)[1], bench.cache) as manager:
        manager.set_weights(STACKED)
        beside = draw(tiny.ours, tiny.base)
        with manager.merge():
            assert "merged" in manager.application
            assert distance(draw(tiny.ours, tiny.base), beside) < TOLERANCE
    assert torch.equal(draw(tiny.ours, tiny.base), tiny.drawn)


# Those of all layers of the others are in test_correctness_cases.py.
BATCHED = [row for row in ONE_EACH if row not in transformer_rows.ROWS]


@pytest.mark.parametrize("row", [*every_third(BATCHED, 1), transformer_rows.ERNIE_DORA], ids=str, scope="module")
def test_pictures_of_one_batch_have_weights_of_their_own(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    with with_adapters(tiny, written(row, tiny, tmp_path)[1], bench.cache) as manager:
        manager.set_weights(STACKED)
        alone = draw(tiny.ours, tiny.base)
        with manager.row_weights([list(STACKED), list(OFF)]):
            first, second = two(tiny)

    assert distance(first, alone) < TOLERANCE
    assert distance(second, tiny.drawn) < TOLERANCE
