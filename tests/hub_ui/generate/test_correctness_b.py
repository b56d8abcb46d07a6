"""Generating with a LoRA here gives what diffusers alone gives, or, where it can't read the file, what the file means.

One row for each format of an architecture, in pipelines/image_rows.py and film_rows.py: FLUX.2, Qwen-Image, Z-Image,
Lumina 2, Sana, HiDream, Anima, Krea 2; Wan, LTX-Video, LTX-2, HunyuanVideo, HunyuanImage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from connectors.errors import DoesNotFit
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter
from tests.hub_ui.generate.pipelines import film_rows, image_rows, wan, z_image
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
from tests.hub_ui.generate.pipelines.files import PEFT
from tests.hub_ui.generate.pipelines.frame import Base, File, by_hand, draw, plain
from tests.hub_ui.generate.pipelines.short_form import every_third, one_of_each
from tests.hub_ui.generate.pipelines.trained import Row, as_they_are, lora, spelled

ROWS = [*image_rows.ROWS, *film_rows.ROWS]
ONE_EACH = list({row.base.save: row for row in reversed(ROWS) if row.loads}.values())
OFF, HALF, WHOLE, STACKED = WEIGHTS


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(folder=tmp_path_factory.mktemp("bench"), cache=LoraCache(2**28))


def written(row: Row, tiny: Tiny, folder: Path) -> tuple[list[File], list[Path]]:
    files = [row.file(tiny.theirs, seed) for seed in (1, 2)]
    return files, [file.save(folder / f"{i}.safetensors") for i, file in enumerate(files)]


@contextmanager
def with_adapters(tiny: Tiny, paths: Sequence[Path], cache: LoraCache | None = None) -> Iterator[AdapterManager]:
    """All tensors of all files take effect, or it fails."""
    manager = AdapterManager(tiny.ours, tiny.base.architecture, cache or LoraCache(2**28))
    try:
        covered = manager.set_adapters([adapter(path) for path in paths]).coverage
        assert [coverage.sentence() for coverage in covered if not coverage.whole] == []
        yield manager
    finally:
        manager.disable()


def covered_in_full(tiny: Tiny, paths: Sequence[Path], cache: LoraCache) -> bool:
    with with_adapters(tiny, paths, cache) as manager:
        return not manager.needs_control_image


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.reshape(other.shape) - other).abs().max())


@pytest.mark.parametrize("row", one_of_each(ROWS, lambda row: row.base.save), ids=str)
def test_a_lora_draws_what_it_draws_by_diffusers_alone(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    files, paths = written(row, tiny, tmp_path)

    wanted = by_diffusers(tiny, paths) if row.loads else by_arithmetic(tiny, files)
    made = by_manager(tiny, paths, bench.cache)

    assert apart(made, wanted) == {}
    assert torch.equal(made[OFF], tiny.drawn)
    assert distance(made[WHOLE], tiny.drawn) > 0.05, "an effect too small to compare"
    assert covered_in_full(tiny, paths, bench.cache)


def test_a_dora_draws_what_it_draws_by_diffusers_alone(bench: Bench, tmp_path: Path) -> None:
    """PEFT remembers the norm of the first weight that it is used with, so that each weight is loaded anew."""
    tiny = bench.tiny(image_rows.DORA.base)
    _, paths = written(image_rows.DORA, tiny, tmp_path)
    half, whole = (plain(tiny.theirs, tiny.base, paths, [weights])[0] for weights in ((0.5,), (1.0,)))
    made = by_manager(tiny, paths, bench.cache)
    assert distance(made[HALF], half) < TOLERANCE
    assert distance(made[WHOLE], whole) < TOLERANCE
    assert torch.equal(made[OFF], tiny.drawn)


def test_the_order_of_stacked_doras_does_not_matter(bench: Bench, tmp_path: Path) -> None:
    """With PEFT it does: there the second one's magnitude turns what the first one has made."""
    tiny = bench.tiny(image_rows.DORA.base)
    _, paths = written(image_rows.DORA, tiny, tmp_path)
    with with_adapters(tiny, paths) as manager:
        manager.set_weights((0.7, -0.4))
        one_way = draw(tiny.ours, tiny.base)
    with with_adapters(tiny, paths[::-1]) as manager:
        manager.set_weights((-0.4, 0.7))
        assert distance(draw(tiny.ours, tiny.base), one_way) < TOLERANCE


@pytest.mark.parametrize("row", every_third(ONE_EACH, 0), ids=str)
def test_a_file_merged_into_the_weights_draws_what_it_draws_beside_them(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    with with_adapters(tiny, written(row, tiny, tmp_path)[1]) as manager:
        beside = draw(tiny.ours, tiny.base)
        with manager.merge():
            assert "merged" in manager.application
            assert distance(draw(tiny.ours, tiny.base), beside) < TOLERANCE
    assert torch.equal(draw(tiny.ours, tiny.base), tiny.drawn)


@pytest.mark.parametrize("row", every_third(ONE_EACH, 1), ids=str)
def test_pictures_of_one_batch_have_their_own_weights(row: Row, bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(row.base)
    with with_adapters(tiny, written(row, tiny, tmp_path)[1][:1]) as manager:
        whole = draw(tiny.ours, tiny.base)
        with manager.row_weights([[0.0], [1.0]]):
            without, with_it = two(tiny)
        assert distance(without, tiny.drawn) < TOLERANCE
        assert distance(with_it, whole) < TOLERANCE


# The negative prompt is longer than the prompt here, so that the rows of their tokens are of two lengths.
LONG = replace(z_image.Z_IMAGE, call={**z_image.CALL, "negative_prompt": "blurred " * 7, "max_sequence_length": 96})
NETWORKS = (*{row.base.save: row.base for row in ROWS}.values(), LONG)


@pytest.mark.parametrize("base", every_third(NETWORKS, 2), ids=lambda base: base.save.__name__.removeprefix("save_"))
def test_so_have_those_with_a_lora_on_every_layer(base: Base, bench: Bench, tmp_path: Path) -> None:
    """Some networks lay the tokens of all pictures one after another, or sort them."""
    tiny = replace(bench.tiny(base), base=base)
    tiny.drawn = draw(tiny.theirs, base)
    layers = [name for name, module in tiny.theirs.transformer.named_modules() if isinstance(module, torch.nn.Linear)]
    path = lora(spelled(as_they_are(layers), "transformer."), PEFT)(tiny.theirs, 1).save(tmp_path / "a.safetensors")
    manager = AdapterManager(tiny.ours, base.architecture, bench.cache)
    assert manager.set_adapters([adapter(path)]).coverage[0].whole
    alone = draw(tiny.ours, base)
    with manager.row_weights([[0.0], [1.0]]):
        without, with_it = two(tiny)
    manager.disable()
    assert distance(without, tiny.drawn) < TOLERANCE
    assert distance(with_it, alone) < TOLERANCE
    assert distance(alone, tiny.drawn) > 0.05


def two(tiny: Tiny) -> torch.Tensor:
    """A batch of two images from the same noise."""
    words = {"negative_prompt": [tiny.base.call["negative_prompt"]] * 2} if "negative_prompt" in tiny.base.call else {}
    noise = [torch.Generator().manual_seed(0) for _ in range(2)]
    return draw(tiny.ours, tiny.base, prompt=["a red cat"] * 2, generator=noise, **words)


@pytest.mark.parametrize(
    ("name", "network"), [("boats_high_noise", "transformer"), ("boats_low_noise", "transformer_2")]
)
def test_wan_2_2_has_a_network_for_each_half_of_the_noise(
    name: str, network: str, bench: Bench, tmp_path: Path
) -> None:
    tiny = bench.tiny(wan.WAN_22)
    file = lora(spelled(wan.ORIGINAL, "diffusion_model.", component=network), PEFT)(tiny.theirs, 1)
    meant = by_hand(tiny.theirs, tiny.base, [file], [[1.0]])[0]
    assert distance(meant, tiny.drawn) > 0.1
    with with_adapters(tiny, [file.save(tmp_path / f"{name}.safetensors")]):
        assert distance(draw(tiny.ours, tiny.base), meant) < TOLERANCE


def test_both_halves_never_change_the_one_network_of_wan_2_1(bench: Bench, tmp_path: Path) -> None:
    tiny = bench.tiny(wan.WAN_21)
    file = lora(spelled(wan.ORIGINAL, "diffusion_model."), PEFT)(tiny.theirs, 1)
    halves = [file.save(tmp_path / f"boats_{noise}_noise.safetensors") for noise in ("high", "low")]
    with pytest.raises(DoesNotFit, match="is half of a LoRA for two networks"), with_adapters(tiny, halves):
        pass
    with with_adapters(tiny, halves[:1]):
        assert distance(draw(tiny.ours, tiny.base), tiny.drawn) > 0.1
