"""The engine on the second of two simulated GPUs: the images of the CPU at each level, and nothing on the first.

And quantised networks there; and memory that runs out once, at any moment, or for good, at any limit: each time there
is the right image or a sentence, and the next request is as if nothing had been.
"""

import functools
import gc
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils._pytree import tree_leaves

from connectors.errors import PreviewError
from hub_ui.generate.base_models import Checkpoint, choose_base
from hub_ui.generate.base_models.load import load_pipeline
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory.device import LEVELS, Device, OffloadLevel
from hub_ui.generate.memory.offload import Placement, free_parts, place, release_memory
from hub_ui.generate.memory.plan import footprint, peak_memory
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import Callbacks, GenerationCancelled, Step
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.settings import resolve_request
from tests.hub_ui.generate.building import CPU, adapter, alike, apart, job, one, pair, same, save_kohya
from tests.hub_ui.generate.pipelines import frame, packed
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.files import PEFT
from tests.hub_ui.generate.pipelines.rows import control_of_diffusers, file, widen
from tests.hub_ui.generate.pipelines.short_form import only
from tests.hub_ui.generate.pipelines.spellings import own
from tests.hub_ui.generate.second_gpu import GIGABYTE, SHEETS, Sheet, draw, engine, of, second_gpu
from tests.hub_ui.generate.simulated_cuda import Card, SimulatedCuda, simulated_cuda

FLUX = TINY["flux1 dev"]
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
    base = FLUX.save(tmp_path / "flux")
    path = control_of_diffusers(widen(frame.load(FLUX, base)), 1).save(tmp_path / "lora.safetensors")
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


def test_each_request_begins_at_its_planned_level(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    larger = str(FLUX.save(tmp_path / "flux"))
    with second_gpu(monkeypatch) as cuda:
        for card, free in zip(cuda.cards, (0, GIGABYTE), strict=True):
            card.by_others = card.memory - free
        there = engine(tmp_path)
        there.load(job(base=base))
        with pytest.raises(PreviewError, match=r"of the memory of this Simulated card, and 1 GB are free"):
            there.load(job(base=larger))
        assert there.loaded_base == choose_spec(job(base=base))
        there.close()


def test_memory_that_others_took_meanwhile_is_told(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = GIGABYTE
    monkeypatch.setattr("hub_ui.generate.memory.device.available_memory", lambda: free)
    with second_gpu(monkeypatch), closing(engine(tmp_path)) as there:
        there.load(job(base=base))
        free = 1
        with pytest.raises(PreviewError, match=r"of memory, and 0\.0 GB are free"):
            there.load(job(base=str(FLUX.save(tmp_path / "flux"))))


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
    return cuda.cards[1].used - held(tree_leaves(list(studio._loaded.prompt_cache._outputs.values())))  # type: ignore[union-attr]


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


SECOND = Device(label="card", kind="cuda", dtype="float32", index=1)
BLOCKS = file(own("transformer", "transformer.", r"attn\.to_[qkv]$|ff\.net\.2"), PEFT)
# Of GGUF files "BF16" is the type of what is not packed.
PRECISIONS = ("full", "gguf-q8_0", "gguf-q4_0", "gguf-q8_0 with BF16", "fp8")


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FLUX.save(tmp_path_factory.mktemp("flux"))


def load_on(device: Device, precision: str, flux: Path, folder: Path) -> Any:
    spec = replace(choose_base("flux1", None, str(flux)), precision=precision.split()[0])
    if not precision.startswith("gguf"):
        return load_pipeline(spec, LocalBase(folder=flux), device)[0]
    gguf = folder / "flux.gguf"
    packed.save_gguf(flux, gguf, precision.split()[0][5:].upper(), others="BF16" if "BF16" in precision else "F32")
    checkpoint = Checkpoint(file=str(gguf), brings=frozenset({"transformer"}))
    return load_pipeline(replace(spec, checkpoint=checkpoint), LocalBase(folder=flux, checkpoint=gguf), device)[0]


def draw_with_lora(pipe: Any, device: Device, path: Path) -> list[torch.Tensor]:
    """Alone, with a LoRA, in rows of several weights, and alone again."""
    manager = AdapterManager(pipe, "flux1", LoraCache(2**28), device.name)
    alone = frame.draw(pipe, FLUX)
    manager.set_adapters([adapter(path, architecture="flux1")])
    with manager.merge(steps=100):
        whole = frame.draw(pipe, FLUX)
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    with manager.row_weights([[0.5], [1.0]]):
        rows = frame.draw(pipe, FLUX, prompt=["a red cat"] * 2, generator=seeds)
    manager.disable()
    made = [alone, whole, rows, frame.draw(pipe, FLUX)]
    free_parts(pipe)
    return [each.cpu() for each in made]


@pytest.mark.parametrize(("precision", "level"), only(product(PRECISIONS, LEVELS), ("gguf-q8_0", "group_offload")))
def test_quantised_bases_draw_the_same_there(flux: Path, tmp_path: Path, precision: str, level: OffloadLevel) -> None:
    path = BLOCKS(frame.load(FLUX, flux), 1).save(tmp_path / "lora.safetensors")
    expected = draw_with_lora(load_on(CPU, precision, flux, tmp_path), CPU, path)
    with simulated_cuda(Card(), Card()) as cuda:
        pipe = load_on(SECOND, precision, flux, tmp_path)
        with SECOND.current():
            place(pipe, SECOND, Placement(level=level))
            made = draw_with_lora(pipe, SECOND, path)
        del pipe
        release_memory(SECOND)
    for here, there in zip(expected, made, strict=True):
        assert torch.allclose(here, there, atol=1e-4)
    assert torch.equal(made[0], made[3])
    assert (cuda.cards[0].allocations, cuda.unindexed, cuda.cards[1].used) == (0, [], 0)


SHEET = SHEETS["text encoder in rows"]
MOMENTS = 30
# In bytes, with the level that fits. A layer of the base takes 1.2 MB, all of it 4.2 MB, and an image 1 MB more.
LIMITS: Mapping[int, OffloadLevel | None] = {
    400_000: None, 900_000: None, 1_500_000: "group_offload", 2_000_000: "group_offload", 2_500_000: "group_offload",
    3_500_000: "group_offload", 4_500_000: "group_offload", 5_000_000: "model_offload", 5_500_000: "whole",
    6_000_000: "whole",
}  # fmt: skip
Undisturbed = Callable[[OffloadLevel], tuple[GenerationResult, int]]


@pytest.fixture(scope="module")
def undisturbed(base: str, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The images of a level, and how many allocations they take."""

    @functools.cache
    def run(level: OffloadLevel) -> tuple[GenerationResult, int]:
        folder = tmp_path_factory.mktemp(level)
        with pytest.MonkeyPatch.context() as patch, second_gpu(patch, level) as cuda, closing(engine(folder)) as there:
            made = draw(there, base, folder, SHEET)
        return made, cuda.cards[1].allocations

    return run


@pytest.mark.parametrize(
    ("moment", "level"),
    # One while the network runs.
    only(((n, LEVELS[n % len(LEVELS)]) for n in range(MOMENTS)), (16, "whole")),
)
def test_memory_that_runs_out_once_at_any_moment_changes_no_image(
    undisturbed: Undisturbed, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int,
    level: OffloadLevel,
) -> None:  # fmt: skip
    expected, allocations = undisturbed(level)
    with second_gpu(monkeypatch, level) as cuda:
        cuda.cards[1].fails_at = 1 + allocations * moment // MOMENTS
        there = engine(tmp_path)
        first = draw(there, base, tmp_path, SHEET)
        there._image_cache.clear()
        second = draw(there, base, tmp_path, SHEET)
        there.close()
    assert all(map(alike, first.images, expected.images))
    assert all(map(same, second.images, expected.images))
    assert (second.report.level, second.report.rows, second.report.notes) == (level, 2, ())
    assert ([card.used for card in cuda.cards], cuda.cards[0].allocations) == ([0, 0], 0)


@pytest.mark.parametrize("limit", only(LIMITS, 2_000_000))
def test_a_limit_that_lasts_gives_the_image_or_a_sentence_and_is_forgotten_when_it_is_gone(
    undisturbed: Undisturbed, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    expected, _ = undisturbed("whole")
    with second_gpu(monkeypatch, limit=limit) as cuda, closing(engine(tmp_path)) as there:
        if LIMITS[limit] is None:
            with pytest.raises(PreviewError, match="does not fit into the memory of this Simulated card"):
                draw(there, base, tmp_path, SHEET)
        else:
            made = draw(there, base, tmp_path, SHEET)
            assert (made.report.level, all(map(alike, made.images, expected.images))) == (LIMITS[limit], True)
        cuda.cards[1].limit = None
        there._image_cache.clear()
        second = draw(there, base, tmp_path, SHEET)
    assert all(map(same, second.images, expected.images))
    assert (second.report.level, second.report.rows, second.report.notes) == ("whole", 2, ())
    assert ([card.used for card in cuda.cards], cuda.cards[0].allocations) == ([0, 0], 0)
