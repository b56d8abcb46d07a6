"""Memory that runs out while generating: what is tried then, what is told, and that nothing is left changed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from connectors.errors import PreviewError
from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.result import GenerationResult
from tests.hub_ui.generate.building import adapter, job
from tests.hub_ui.generate.comparing import alike, one

OF_CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


class Memory:
    """Room for so many rows in a UNet; more raise `error`. Writes down how many each run had."""

    def __init__(self) -> None:
        self.rows = 100
        self.error: Exception = OF_CUDA
        self.runs: list[int] = []

    def fill(self, rows: int, error: Exception = OF_CUDA) -> None:
        self.rows, self.error = rows, error
        self.runs.clear()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    made, forward = Memory(), UNet2DConditionModel.forward

    def limited(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        made.runs.append(len(sample))
        if len(sample) > made.rows:
            raise made.error
        return forward(self, sample, *args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", limited)
    return made


def strip(studio: Engine, kohya: Path, base: str) -> GenerationResult:
    asked = job(adapter(kohya), base=base)
    return studio.generate(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0)))


def test_a_batch_that_is_too_large_is_drawn_one_by_one(studio: Engine, base: str, kohya: Path, memory: Memory) -> None:
    whole = strip(studio, kohya, base).images
    studio.close()
    memory.fill(2)
    made = strip(studio, kohya, base)
    assert memory.runs == [6, *[2] * 6]
    assert all(map(alike, made.images, whole))
    assert made.report.notes == ("Memory ran out once. The images were generated one by one then.",)


def test_what_does_not_fit_the_second_time_is_told_with_what_would(
    studio: Engine, base: str, kohya: Path, memory: Memory
) -> None:
    memory.fill(0)
    with pytest.raises(PreviewError, match=r"32 × 32 .* does not fit into the memory of this CPU") as raised:
        strip(studio, kohya, base)
    assert memory.runs == [6, 2]
    assert raised.value.message.endswith("not even piece by piece. Close other programs.")


def test_memory_that_runs_out_while_a_lora_is_read_is_told(
    studio: Engine, base: str, kohya: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("hub_ui.generate.lora.load.read", full)
    with pytest.raises(PreviewError, match="does not fit"):
        one(studio, adapter(kohya), base=base)


def test_a_pipeline_that_takes_no_lists_is_asked_one_by_one(
    studio: Engine, base: str, kohya: Path, memory: Memory
) -> None:
    memory.fill(2, ValueError("`prompt` has to be of type `str`"))
    made = strip(studio, kohya, base)
    assert (memory.runs, made.report.notes) == ([6, *[2] * 6], ())
    memory.fill(2, ValueError("`prompt` has to be of type `str`"))
    studio._image_cache.clear()
    strip(studio, kohya, base)
    assert memory.runs == [2] * 6
