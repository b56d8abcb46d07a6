"""Memory that runs out at each stage and each level, on a real pipeline whose device is the CPU: every one ends in an
image at a lower level or in a sentence, and nothing stays allocated.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from connectors.errors import PreviewError
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora.merge import Originals
from hub_ui.generate.memory import Device
from hub_ui.generate.memory_plan import LEVELS, OffloadLevel
from hub_ui.generate.result import GenerationResult
from tests.hub_ui.generate.building import adapter, save_lokr
from tests.hub_ui.generate.comparing import single
from tests.hub_ui.generate.pipelines.short_form import only

# Where memory runs out -> the method that then raises.
STAGES: dict[str, tuple[Any, str]] = {
    "encoding": (CLIPTextModel, "forward"),
    "merging": (Originals, "merge"),
    "denoising": (UNet2DConditionModel, "forward"),
    "decoding": (AutoencoderKL, "_decode"),
}
OFFLOADED = "Memory ran out once. More of the base was kept off the device then, which is slower."
IN_PIECES = "Memory ran out while the image was decoded. It was decoded piece by piece, which changes it a little."


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> list[OffloadLevel]:
    """The levels of the device, which a test may shorten before a base is loaded."""
    levels = list(LEVELS)

    def choose(*_: Any) -> Device:
        return Device(label="card", kind="cpu", dtype="float32", levels=tuple(levels))

    monkeypatch.setattr("hub_ui.generate.engine.choose_device", choose)
    return levels


@pytest.fixture
def lokr(tmp_path: Path) -> Path:
    return save_lokr(tmp_path / "lokr.safetensors")


def run_out(monkeypatch: pytest.MonkeyPatch, stage: str, times: int) -> list[None]:
    """So many calls of the stage's method raise; the list that is returned ends it when it is cleared."""
    owner, name = STAGES[stage]
    method, left = getattr(owner, name), [None] * times

    def limited(*args: Any, **kwargs: Any) -> Any:
        if left:
            left.pop()
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, limited)
    return left


def generate(engine: Engine, base: str, lokr: Path) -> GenerationResult:
    return single(engine, adapter(lokr), base=base)


def pixels(result: GenerationResult) -> Any:
    return np.asarray(result.images[0].image).astype(int)


NEXT = [(stage, *pair) for stage in ("encoding", "merging", "denoising") for pair in pairwise(LEVELS)]


@pytest.mark.parametrize(("stage", "level", "lower"), only(NEXT, ("denoising", *LEVELS[:2])))
def test_it_goes_on_at_the_next_level(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch, stage: str,
    level: OffloadLevel, lower: OffloadLevel,
) -> None:  # fmt: skip
    del levels[: LEVELS.index(level)]
    expected = pixels(generate(studio, base, lokr))
    studio.close()
    run_out(monkeypatch, stage, 1)
    made = generate(studio, base, lokr)
    loaded: Any = studio._loaded
    assert (loaded.placement.level, made.report.level, made.report.notes) == (lower, lower, (OFFLOADED,))
    # Files take another layout of convolutions on a CPU, which rounds otherwise.
    assert np.abs(pixels(made) - expected).max() <= (1 if lower == "disk_offload" else 0)


@pytest.mark.parametrize("level", only(LEVELS, "whole"))
def test_where_decoding_runs_out_the_image_is_decoded_in_pieces(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch, level: OffloadLevel
) -> None:
    del levels[: LEVELS.index(level)]
    run_out(monkeypatch, "decoding", 1)
    made = generate(studio, base, lokr)
    loaded: Any = studio._loaded
    assert (loaded.placement.level, loaded.placement.is_tiled) == (level, True)
    assert made.report.notes == (IN_PIECES,)


def test_memory_that_runs_out_each_time_is_tried_ever_more_rarely(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, tried = UNet2DConditionModel.forward, list[bool]()

    def limited(*args: Any, **kwargs: Any) -> Any:
        if studio._loaded is not None and studio._loaded.placement.level == "whole":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(*args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", limited)
    for _ in range(5):
        tried.append(generate(studio, base, lokr).report.notes == (OFFLOADED,))
        studio._image_cache.clear()
    assert tried == [True, True, False, True, False]


def test_a_base_that_does_not_fit_while_it_is_loaded_is_loaded_at_a_lower_level(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STAGES, "loading", (StableDiffusionPipeline, "to"))
    run_out(monkeypatch, "loading", 1)
    generate(studio, base, lokr)
    loaded: Any = studio._loaded
    assert loaded.placement.level == "model_offload"


def test_a_base_that_fits_at_no_level_is_told(
    studio: Engine, base: str, lokr: Path, levels: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STAGES, "loading", (StableDiffusionPipeline, "to"))
    run_out(monkeypatch, "loading", 100)
    with pytest.raises(PreviewError, match="this card ran out of it while it was loaded"):
        generate(studio, base, lokr)
