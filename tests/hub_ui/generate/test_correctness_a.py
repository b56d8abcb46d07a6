"""Generating with a LoRA here gives what diffusers alone gives, or, where it can't read the file, what the file means.

One row for each format of an architecture, in pipelines/*_rows.py: UNets, Stable Diffusion 3, FLUX.1, Chroma, PixArt,
AuraFlow and CogView4. Latents in float32, for weights 0, 0.5 and 1 and for two LoRAs at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter, job
from tests.hub_ui.generate.pipelines.algorithm_rows import ALGORITHMS
from tests.hub_ui.generate.pipelines.bench import (
    TOLERANCE,
    WEIGHTS,
    Bench,
    Tiny,
    apart,
    by_arithmetic,
    by_diffusers,
    by_manager,
)
from tests.hub_ui.generate.pipelines.dit_rows import OTHERS, SD3S
from tests.hub_ui.generate.pipelines.flux import CONTROL, UNSTEERED, widen
from tests.hub_ui.generate.pipelines.flux_rows import FLUXES, control_of_bfl, control_of_diffusers
from tests.hub_ui.generate.pipelines.frame import PROMPT, Base, File, draw, load, plain
from tests.hub_ui.generate.pipelines.rows import Make, Row
from tests.hub_ui.generate.pipelines.short_form import every_third, one_of_each
from tests.hub_ui.generate.pipelines.unet_rows import UNETS

ROWS = (*UNETS, *SD3S, *FLUXES, *OTHERS, *ALGORITHMS)
ONE_EACH = list({row.base.save: row for row in reversed(ROWS[: -len(ALGORITHMS)])}.values())
OFF, HALF, WHOLE, STACKED = WEIGHTS


# Kolors is called with embeddings here, Kontext with a picture; PixArt draws the nearest of its own large sizes.
SHOWN = ("sd1", "sd2", "sdxl", "sd3", "flux1 dev", "flux1 schnell", "chroma", "auraflow", "cogview4")
SHEETS = [row for row in ONE_EACH if row.name.startswith(SHOWN)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(folder=tmp_path_factory.mktemp("bench"), cache=LoraCache(2**28))


def architecture_of(row: Row) -> object:
    return row.base.save


def algorithm_of(row: Row) -> object:
    """The name without that of its base; None for plain factors, whose names for layers lora/test_key_maps*.py has."""
    return re.sub(r"^(flux1 )?\S+ ", "", row.name) if row in ALGORITHMS else None


@pytest.mark.parametrize("row", one_of_each(ROWS, architecture_of, algorithm_of), ids=str)
def test_a_lora_draws_what_it_draws_by_diffusers_alone(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    files = [row.make(tiny.theirs, seed) for seed in (1, 2)]
    paths = [file.save(tmp_path / f"{i}.safetensors") for i, file in enumerate(files)]

    wanted = by_arithmetic(tiny, files) if row.alone else by_diffusers(tiny, paths)
    made = by_manager(tiny, paths, bench.cache)

    assert apart(made, wanted, row.stacked) == {}
    assert torch.equal(made[OFF], tiny.drawn)
    assert (made[WHOLE] - tiny.drawn).abs().max() > 0.05, "an effect too small to compare"


@pytest.mark.parametrize("row", every_third(ONE_EACH, 0), ids=str)
def test_merging_draws_what_adding_while_drawing_draws(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    files = [row.make(tiny.theirs, seed) for seed in (1, 2)]
    paths = [file.save(tmp_path / f"{i}.safetensors") for i, file in enumerate(files)]

    made = by_manager(tiny, paths, bench.cache, merged=True)

    assert apart(made, by_arithmetic(tiny, files)) == {}
    assert torch.equal(made[OFF], tiny.drawn)


def control_files(tmp_path: Path, make: Make) -> tuple[Any, list[File], list[Path]]:
    """The pipeline widened by hand, and two LoRAs for it."""
    wide = widen(load(CONTROL, CONTROL.save(tmp_path / "base")))
    files = [make(wide, seed) for seed in (1, 2)]
    return wide, files, [file.save(tmp_path / f"{i}.safetensors") for i, file in enumerate(files)]


@pytest.mark.parametrize("make", [control_of_diffusers, control_of_bfl])
def test_a_control_lora_widens_the_base_and_draws_by_its_picture(make: Make, tmp_path: Path) -> None:
    wide, files, paths = control_files(tmp_path, make)
    unsteered = draw(load(UNSTEERED, tmp_path / "base"), UNSTEERED)
    tiny = Tiny(
        base=CONTROL, ours=load(CONTROL, tmp_path / "base"), theirs=wide, drawn=unsteered, folder=tmp_path / "base"
    )

    made = by_manager(tiny, paths, LoraCache(2**28))

    assert apart(made, by_arithmetic(tiny, files)) == {}
    assert (made[OFF] - unsteered).abs().max() < TOLERANCE
    assert (made[WHOLE] - unsteered).abs().max() > 0.1
    assert tiny.ours.transformer.config.in_channels == 4


def test_a_control_lora_draws_what_it_draws_by_diffusers_alone(tmp_path: Path) -> None:
    _, _, paths = control_files(tmp_path, control_of_diffusers)
    folder = tmp_path / "base"
    drawn = draw(load(UNSTEERED, folder), UNSTEERED)
    tiny = Tiny(base=CONTROL, ours=load(CONTROL, folder), theirs=load(CONTROL, folder), drawn=drawn, folder=folder)

    assert apart(by_manager(tiny, paths, LoraCache(2**28)), by_diffusers(tiny, paths)) == {}


@pytest.mark.parametrize("row", every_third(ONE_EACH, 1), ids=str)
def test_pictures_of_one_batch_have_weights_of_their_own(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    paths = [row.make(tiny.theirs, seed).save(tmp_path / f"{seed}.safetensors") for seed in (1, 2)]
    rows = [list(weights) for weights in (STACKED, OFF)]

    with on(tiny, paths, bench.cache) as manager:
        manager.set_weights(STACKED)
        alone = draw(tiny.ours, tiny.base)
        with manager.row_weights(rows):
            first, second = draw(tiny.ours, tiny.base, **twice(tiny.base))

    assert (first - alone[0]).abs().max() < TOLERANCE
    assert (second - tiny.drawn[0]).abs().max() < TOLERANCE


@contextmanager
def on(tiny: Tiny, paths: list[Path], cache: LoraCache) -> Iterator[AdapterManager]:
    manager = AdapterManager(tiny.ours, tiny.base.architecture, cache)
    manager.set_adapters([adapter(path) for path in paths])
    yield manager
    manager.disable()


def twice(base: Base) -> dict[str, Any]:
    """Two images in one call, from the same noise: its texts, and tensors of one row, once for each."""
    call = {"prompt": PROMPT, **base.call}
    doubled: dict[str, Any] = {"generator": [torch.Generator().manual_seed(0) for _ in range(2)]}
    doubled |= {key: [value] * 2 for key, value in call.items() if isinstance(value, str)}
    return doubled | {key: torch.cat([value] * 2) for key, value in call.items() if isinstance(value, torch.Tensor)}


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated")  # which diffusers' own Chroma uses
@pytest.mark.parametrize("row", every_third(SHEETS, 2), ids=str)
def test_a_sheet_shows_what_diffusers_alone_draws(row: Row, bench: Bench, tmp_path: Path, studio: Engine) -> None:
    tiny = bench.tiny(row.base)
    path = row.make(tiny.theirs, 1).save(tmp_path / "lora.safetensors")
    fields = {"prompt": PROMPT, "seed": 0, "guidance": 4.0, "base": str(tiny.folder)}
    asked = job(adapter(path, architecture=row.base.architecture), **fields)

    made = studio.generate(asked, comparison.before_after(asked))

    call = {"height": 32, "width": 32, "guidance_scale": 4.0, "output_type": "pt"}
    wanted = plain(tiny.theirs, replace(row.base, call=call), [path], [(0.0,), (1.0,)])
    for picture, drawn in zip(made.images, wanted, strict=True):
        pixels = torch.from_numpy(np.array(picture.image)).permute(2, 0, 1)
        assert (pixels - 255 * drawn[0]).abs().max() <= 1
