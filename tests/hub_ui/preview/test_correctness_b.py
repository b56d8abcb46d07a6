"""FLUX.2, Qwen-Image, Z-Image, Lumina 2, Sana, HiDream, Anima, Krea 2 and films: what a file does to a real network.

Measured by diffusers where it reads the format, and always by adding the file's own arithmetic to the weights by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_ui.preview.adapters.cache import Cache
from hub_ui.preview.adapters.hooks import NotPerRow
from hub_ui.preview.adapters.rack import Rack
from tests.hub_ui.preview.building import adapter
from tests.hub_ui.preview.pipelines import film_rows, image_rows, wan
from tests.hub_ui.preview.pipelines.files import PEFT
from tests.hub_ui.preview.pipelines.frame import Base, File, by_hand, draw, load, plain
from tests.hub_ui.preview.pipelines.trained import Row, lora, spelled

# PEFT says so of every second adapter of a model.
pytestmark = pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute")

NEAR, SEEN = 1e-4, 1e-2
NONE, HALF, WHOLE, STACKED = (0.0,), (0.5,), (1.0,), (0.7, -0.4)
ROWS = [*image_rows.ROWS, *film_rows.ROWS]
# One of each base, with LoRAs on the blocks alone.
ONE_EACH = list({row.base.save.__name__: row for row in reversed(ROWS) if row.loads and row.adds}.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """One base twice: what diffusers loads LoRAs into, and what we do. `bare` is what both draw without any."""

    measure: Any
    own: Any
    bare: torch.Tensor


Opener = Callable[[Base], Opened]


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opener:
    kept: dict[str, Opened] = {}

    def open_base(base: Base) -> Opened:
        name = base.save.__name__
        if name not in kept:
            folder = base.save(tmp_path_factory.mktemp(name))
            own = load(base, folder)
            kept[name] = Opened(measure=load(base, folder), own=own, bare=draw(own, base))
        return kept[name]

    return open_base


def wanted(row: Row, on: Opened, files: list[File], paths: list[Path]) -> list[torch.Tensor]:
    """Half, whole, and two stacked. Where diffusers draws the measure, arithmetic must agree with it first."""
    if not row.adds:  # PEFT remembers the norm of a DoRA from the first weight it is used with
        return [plain(on.measure, row.base, paths, [each])[0] for each in (HALF, WHOLE)]
    if not row.loads:
        return [by_hand(on.own, row.base, files[: len(each)], [each])[0] for each in (HALF, WHOLE, STACKED)]
    drawn = plain(on.measure, row.base, paths, [HALF, WHOLE, STACKED])
    assert apart(drawn[2], by_hand(on.own, row.base, files, [STACKED])[0]) < NEAR
    return drawn


@contextmanager
def racked(on: Opened, base: Base, paths: Sequence[Path]) -> Iterator[Rack]:
    """All tensors of all files on the base, or it fails."""
    rack = Rack(on.own, base.architecture, Cache(2**30))
    try:
        covered = rack.switch([adapter(path, architecture=base.architecture) for path in paths]).coverage
        assert [coverage.sentence() for coverage in covered if not coverage.whole] == []
        yield rack
    finally:
        rack.close()


def ours(row: Row, on: Opened, paths: Sequence[Path], weights: Sequence[Sequence[float]]) -> list[torch.Tensor]:
    with racked(on, row.base, paths) as rack:
        made = []
        for each in weights:
            rack.weigh(each)
            made.append(draw(on.own, row.base))
        return made


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def written(row: Row, on: Opened, folder: Path, seeds: Sequence[int] = (1,)) -> tuple[list[File], list[Path]]:
    files = [row.file(on.own, seed) for seed in seeds]
    return files, [file.save(folder / f"{seed}.safetensors") for seed, file in zip(seeds, files, strict=True)]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_file_does_what_diffusers_does_with_it_or_what_its_numbers_say(
    row: Row, opened: Opener, tmp_path: Path
) -> None:
    on = opened(row.base)
    files, paths = written(row, on, tmp_path, seeds=(1, 2))
    half, whole, *stacked = wanted(row, on, files, paths)
    assert apart(whole, on.bare) > SEEN
    our_half, our_whole, none = ours(row, on, paths[:1], [HALF, WHOLE, NONE])
    assert torch.equal(none, on.bare)
    assert apart(our_half, half) < NEAR
    assert apart(our_whole, whole) < NEAR
    assert [apart(ours(row, on, paths, [STACKED])[0], each) < NEAR for each in stacked] == [True] * len(stacked)


def test_the_order_of_stacked_dora_files_does_not_matter(opened: Opener, tmp_path: Path) -> None:
    """With PEFT it does: it turns what the first one has made by the second one's magnitude."""
    row = next(row for row in ROWS if not row.adds)
    on = opened(row.base)
    _, paths = written(row, on, tmp_path, seeds=(1, 2))
    one_way, other_way = ours(row, on, paths, [(0.7, -0.4)]), ours(row, on, paths[::-1], [(-0.4, 0.7)])
    assert apart(one_way[0], other_way[0]) < NEAR


@pytest.mark.parametrize("row", ONE_EACH, ids=str)
def test_a_file_merged_into_the_weights_draws_what_it_draws_beside_them(
    row: Row, opened: Opener, tmp_path: Path
) -> None:
    on = opened(row.base)
    _, paths = written(row, on, tmp_path)
    with racked(on, row.base, paths) as rack:
        beside = draw(on.own, row.base)
        with rack.merged():
            assert apart(draw(on.own, row.base), beside) < NEAR
    assert torch.equal(draw(on.own, row.base), on.bare)


# These lay the tokens of all pictures one after another, where nothing tells which picture a token is of.
FLATTENED = {"save_hidream", "save_krea2", "save_z_image"}


@pytest.mark.parametrize("row", ONE_EACH, ids=str)
def test_pictures_of_one_batch_have_their_own_weights_or_it_is_refused(
    row: Row, opened: Opener, tmp_path: Path
) -> None:
    on = opened(row.base)
    _, paths = written(row, on, tmp_path)
    with racked(on, row.base, paths) as rack:
        whole = draw(on.own, row.base)
        try:
            with rack.rows([[0.0], [1.0]]):
                without, with_it = _two(on.own, row.base)
        except NotPerRow:
            assert row.base.save.__name__ in FLATTENED
            return
    assert apart(without.reshape(on.bare.shape), on.bare) < NEAR
    assert apart(with_it.reshape(whole.shape), whole) < NEAR


def _two(pipe: Any, base: Base) -> torch.Tensor:
    """A batch of two pictures from the same noise."""
    negative = {"negative_prompt": [base.call["negative_prompt"]] * 2} if "negative_prompt" in base.call else {}
    same = [torch.Generator().manual_seed(0) for _ in range(2)]
    return draw(pipe, base, prompt=["a red cat"] * 2, generator=same, **negative)


@pytest.mark.parametrize(
    ("name", "network"), [("boats_high_noise", "transformer"), ("boats_low_noise", "transformer_2")]
)
def test_wan_2_2_has_a_network_for_each_half_of_the_noise(
    name: str, network: str, opened: Opener, tmp_path: Path
) -> None:
    on = opened(wan.WAN_22)
    file = lora(spelled(wan.ORIGINAL, "diffusion_model.", component=network), PEFT)(on.own, 1)
    path = file.save(tmp_path / f"{name}.safetensors")
    meant = by_hand(on.own, wan.WAN_22, [file], [[1.0]])[0]
    assert apart(meant, on.bare) > SEEN
    with racked(on, wan.WAN_22, [path]):
        assert apart(draw(on.own, wan.WAN_22), meant) < NEAR
