"""What the engine says of a generation: before it, meanwhile and in the report.

Requests that the engine refuses, and what it says.
"""

import sys
from pathlib import Path

import pytest

from connectors.errors import DoesNotFit, PreviewError, UsageError
from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.estimate import Timing
from hub_ui.generate.memory_plan import KINDS, DeviceKind
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import Callbacks, Step
from tests.hub_ui.generate.building import adapter, job
from tests.hub_ui.generate.comparing import one, pair, single


def test_switching_reloads_nothing(studio: Engine, base: str, kohya: Path) -> None:
    one(studio, adapter(kohya), base=base)
    stages: list[Step] = []
    again = single(studio, adapter(kohya, weight=0.3), base=base, callbacks=Callbacks(on_progress=stages.append))
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
    made = single(studio, adapter(kohya), base=base)
    assert (made.report.rows, made.report.adapters) == (1, "merged")
    assert single(studio, base=base).report.adapters == ""


def test_every_step_is_told(studio: Engine, base: str, kohya: Path) -> None:
    steps: list[Step] = []
    pair(studio, adapter(kohya), base=base, callbacks=Callbacks(on_progress=steps.append))
    assert [(step.stage, step.done, step.total) for step in steps] == [
        (f"Loading {base}", 0, 0),
        ("Putting the LoRA on", 0, 0),
        *(("Generating 2 images", done, 4) for done in (0, 2, 4)),
    ]


def test_a_time_is_told_before_and_measured_after(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya), base=base, steps=4)
    before = studio.estimate(asked, comparison.weight_sweep(asked))
    assert (before.images, before.measured, studio._loaded) == (5, False, None)
    studio.generate(asked, comparison.before_after(asked))
    after = studio.estimate(asked, comparison.weight_sweep(asked))
    assert (after.images, after.measured) == (4, True)


def test_steps_that_take_too_long_for_the_gpu_s_own_memory_are_told_and_not_expected_again(
    studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "cpu", DeviceKind(spills_on=sys.platform))
    asked, usual, put = job(base=base, steps=3), Timing(step=1e-6, rest=1.0), list[Timing]()
    monkeypatch.setattr(studio._timings, "get", lambda key: usual)
    monkeypatch.setattr(studio._timings, "put", lambda key, timing: put.append(timing))
    [note] = studio.generate(asked, comparison.single(asked)).report.notes
    assert (note.startswith("Each step took "), put) == (True, [])


def test_a_missing_compiler_is_said_before_the_base_is_loaded(
    studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    said = r"needs a C\+\+ compiler.*Install g\+\+ or clang\+\+, or leave --compile out"
    with pytest.raises(PreviewError, match=said):
        single(studio, base=base, compile=True)
    assert studio._loaded is None


def test_loras_of_two_architectures_do_not_go_together(studio: Engine, kohya: Path) -> None:
    said = "is for sd1 and “Edges” for sdxl: LoRAs of different architectures can't be used together"
    with pytest.raises(DoesNotFit, match=said):
        pair(studio, adapter(kohya), adapter(kohya, architecture="sdxl", title="Edges"), base="sd-1.5")


def test_a_pair_for_image_to_video_runs_on_two_networks_or_not_at_all() -> None:
    high, low = (
        adapter(Path(f"boats_{noise}.safetensors"), architecture="wan", base_model="wan-2.2-i2v-a14b", follows=follows)
        for noise, follows in (("high", False), ("low", True))
    )
    assert choose_spec(job(high, low)).id == "wan-2.2-i2v-a14b"
    for base in ("wan-2.1-t2v-14b", "wan-2.2-ti2v-5b"):
        with pytest.raises(DoesNotFit, match="“boats_low” is half of a LoRA for two networks"):
            choose_spec(job(high, low, base=base))
    assert choose_spec(job(high, base="wan-2.1-t2v-14b")).id == "wan-2.1-t2v-14b"


def test_a_second_lora_is_refused_as_the_first_is(kohya: Path) -> None:
    loras = [adapter(kohya, architecture="flux1", base_model=name) for name in ("flux.1-dev", "flex.2")]
    with pytest.raises(DoesNotFit, match=r"does not run on FLUX\.1 dev\. Flex\.2 has 8 of the 19 double blocks"):
        choose_spec(job(*loras))


def test_a_sheet_of_another_job_is_told(studio: Engine, base: str, kohya: Path) -> None:
    with pytest.raises(UsageError, match="one weight for each LoRA"):
        studio.generate(job(base=base), comparison.before_after(job(adapter(kohya))))


def test_nothing_to_draw_with_is_told(studio: Engine) -> None:
    with pytest.raises(UsageError, match="neither a LoRA nor a base"):
        one(studio)
