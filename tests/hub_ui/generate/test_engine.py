"""What the engine's images are made of, what it says of them, stops, and requests that come meanwhile."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from connectors.errors import DoesNotFit, PreviewError, UsageError
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.estimate import Timing
from hub_ui.generate.memory.device import KINDS, DeviceKind
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import Callbacks, GenerationCancelled, Step
from tests.hub_ui.generate.building import adapter, job, one, pair, same, save_kohya, single


def test_a_lora_replaced_while_it_is_drawn_is_drawn_anew_the_next_time(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya, sha256="ab" * 32), base=base)
    before = studio.generate(asked, comparison.single(asked)).images[0]
    studio._image_cache.clear()

    def replace_it(step: Step) -> None:
        if step.stage == "Generating":
            save_kohya(kohya, seed=9, rank=8)

    first = studio.generate(asked, comparison.single(asked), Callbacks(on_progress=replace_it)).images[0]
    second = studio.generate(asked, comparison.single(asked)).images[0]
    assert (same(first, before), same(second, before)) == (True, False)


def test_a_control_image_replaced_under_its_name_is_another_one(
    studio: Engine, base: str, kohya: Path, tmp_path: Path, runs: list[int]
) -> None:
    control, lora = tmp_path / "control.png", adapter(kohya)
    for number, color in enumerate(("red", "blue"), 1):
        Image.new("RGB", (32, 32), color).save(control)
        os.utime(control, ns=(number, number))
        for _ in range(2):
            one(studio, lora, base=base, control=control)
        # Two steps of each.
        assert len(runs) == 2 * number


def test_closing_gives_the_memory_of_loras_back_too(studio: Engine, base: str, kohya: Path) -> None:
    one(studio, adapter(kohya), base=base)
    assert studio._lora_cache.currsize > 0
    studio.close()
    assert studio._lora_cache.currsize == 0


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


def test_a_seed_that_gives_the_image_of_another_one_says_so(studio: Engine, base: str) -> None:
    small, large = (single(studio, base=base, seed=seed) for seed in (7, 2**32 + 7))
    assert large.images[0].image.tobytes() == small.images[0].image.tobytes()
    said = "Seed 4294967303 gives the same image as 7: beyond 4294967295, seeds begin again."
    assert (small.report.notes, large.report.notes) == ((), (said,))


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


def test_a_missing_compiler_is_said_before_loading(studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("after", [0, 5])
def test_drawing_stops_within_one_step(studio: Engine, base: str, kohya: Path, runs: list[int], after: int) -> None:
    steps: list[Step] = []
    stop = Callbacks(on_progress=steps.append, is_cancelled=lambda: len(runs) >= after and bool(steps))
    with pytest.raises(GenerationCancelled):
        single(studio, adapter(kohya), base=base, steps=20, callbacks=stop)
    assert len(runs) <= after + 1


class Held:
    """An image whose first report waits until it is let go."""

    def __init__(self, studio: Engine, base: str) -> None:
        self.pool = ThreadPoolExecutor(2)
        self._entered, self._leave = threading.Event(), threading.Event()
        self.made = self.pool.submit(single, studio, base=base, callbacks=Callbacks(on_progress=self._hold))
        self._entered.wait(30)

    def _hold(self, _step: Step) -> None:
        self._entered.set()
        self._leave.wait(30)

    def let_go(self) -> None:
        self._leave.set()
        self.pool.shutdown()


def test_who_comes_meanwhile_waits_and_may_give_up(studio: Engine, base: str) -> None:
    held, seen = Held(studio, base), list[Step]()
    with pytest.raises(GenerationCancelled):
        single(studio, base=base, callbacks=Callbacks(on_progress=seen.append, is_cancelled=lambda: True))
    held.let_go()
    assert [step.stage for step in seen] == ["Waiting for another image"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes, which tell when they are read")
def test_who_waits_has_read_the_lora_before_it_is_his_turn(studio: Engine, base: str, tmp_path: Path) -> None:
    pipe = tmp_path / "lora.safetensors"
    os.mkfifo(pipe)

    def wait() -> None:
        with pytest.raises(GenerationCancelled):
            single(studio, adapter(pipe), base=base, callbacks=Callbacks(is_cancelled=lambda: True))

    held = Held(studio, base)
    second = held.pool.submit(wait)
    # Opened once the other end is: by whoever reads the file.
    pipe.write_bytes(b"a LoRA")
    held.let_go()
    second.result()


def test_closing_waits_for_the_picture_that_is_being_drawn(studio: Engine, base: str) -> None:
    held, asked = Held(studio, base), job(base=base)
    held.pool.submit(studio.close)
    assert studio.estimate(asked, comparison.single(asked)).images == 1
    held.let_go()
    assert (len(held.made.result().images), studio._loaded) == (1, None)


def test_what_a_report_raises_keeps_nobody_waiting(studio: Engine, base: str) -> None:
    def gone(_step: Step) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        single(studio, base=base, callbacks=Callbacks(on_progress=gone))
    assert single(studio, base=base).images
