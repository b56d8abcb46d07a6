"""What the engine says of a generation: before it, meanwhile and in the report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hub_ui.generate import comparison
from hub_ui.generate.callbacks import Callbacks
from hub_ui.generate.device_kinds import KINDS, DeviceKind
from hub_ui.generate.engine import Engine
from hub_ui.generate.estimate import Timing
from hub_ui.generate.request import Step
from tests.hub_ui.generate.building import adapter, job
from tests.hub_ui.generate.comparing import one, pair


def test_switching_reloads_nothing(studio: Engine, base: str, kohya: Path) -> None:
    one(studio, adapter(kohya), base=base)
    stages: list[Step] = []
    asked = job(adapter(kohya, weight=0.3), base=base)
    again = studio.generate(asked, comparison.single(asked), Callbacks(on_progress=stages.append))
    assert "Loading" not in " ".join(step.stage for step in stages)
    assert again.report.switch_seconds > 0


def test_the_report_says_how_it_came_about(studio: Engine, base: str, kohya: Path) -> None:
    asked = adapter(kohya, trigger_words=("sks",))
    made = pair(studio, asked, base=base, seed=3, steps=None, guidance=5.0, width=16, height=16)
    report = made.report
    assert [cell.prompt for cell in made.comparison.cells] == ["sks, a red cat"] * 2
    assert (report.seed, report.steps, report.guidance, report.sampler, report.notes) == (3, 25, 5.0, "DDIM", ())
    assert (report.device, report.width, report.height, report.base) == ("CPU", 16, 16, base)
    assert (report.dtype, report.rows, report.adapters) == ("float32", 2, "hooked")


def test_the_report_says_how_loras_were_applied(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya), base=base)
    made = studio.generate(asked, comparison.single(asked))
    assert (made.report.rows, made.report.adapters) == (1, "merged")
    alone = job(base=base)
    assert studio.generate(alone, comparison.single(alone)).report.adapters == ""


def test_every_step_is_told(studio: Engine, base: str, kohya: Path) -> None:
    steps: list[Step] = []
    asked = job(adapter(kohya), base=base)
    studio.generate(asked, comparison.before_after(asked), Callbacks(on_progress=steps.append))
    assert [(step.stage, step.done, step.total) for step in steps] == [
        (f"Loading {base}", 0, 0),
        ("Putting the LoRA on", 0, 0),
        *(("Generating 2 images", done, 4) for done in (0, 2, 4)),
    ]


def test_a_small_preview_comes_with_the_steps(studio: Engine, base: str) -> None:
    steps: list[Step] = []
    asked = job(base=base)
    studio.generate(asked, comparison.single(asked), Callbacks(on_progress=steps.append))
    sizes = [step.preview.size for step in steps if step.preview is not None]
    assert sizes == [(32, 32)]


def test_a_time_is_told_before_and_measured_after(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya), base=base, steps=4)
    before = studio.estimate(asked, comparison.weight_sweep(asked))
    assert (before.images, before.measured, studio._loaded) == (5, False, None)
    studio.generate(asked, comparison.before_after(asked))
    after = studio.estimate(asked, comparison.weight_sweep(asked))
    assert (after.images, after.measured) == (4, True)


def test_a_sampler_is_followed_and_the_base_has_its_own_back(studio: Engine, base: str) -> None:
    asked = job(base=base, sampler="Euler a")
    assert studio.generate(asked, comparison.single(asked)).report.sampler == "Euler a"
    asked = job(base=base)
    assert studio.generate(asked, comparison.single(asked)).report.sampler == "DDIM"


def test_a_sampler_that_calls_twice_for_a_step_is_counted_as_asked(studio: Engine, base: str) -> None:
    steps: list[Step] = []
    asked = job(base=base, sampler="Heun", steps=3)
    studio.generate(asked, comparison.single(asked), Callbacks(on_progress=steps.append))
    assert (steps[-1].done, steps[-1].total) == (3, 3)


def test_steps_that_take_too_long_for_the_gpu_s_own_memory_are_told_and_not_expected_again(
    studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "cpu", DeviceKind(spills_on=sys.platform))
    asked, usual, put = job(base=base, steps=3), Timing(step=1e-6, rest=1.0), list[Timing]()
    monkeypatch.setattr(studio._timings, "get", lambda key: usual)
    monkeypatch.setattr(studio._timings, "put", lambda key, timing: put.append(timing))
    [note] = studio.generate(asked, comparison.single(asked)).report.notes
    assert (note.startswith("Each step took "), put) == (True, [])
