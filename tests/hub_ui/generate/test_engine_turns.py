"""Stops, and requests that come while another is generated."""

import os
import threading
from pathlib import Path

import pytest

from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import Callbacks, GenerationCancelled, Step
from hub_ui.generate.result import GenerationResult
from tests.hub_ui.generate.building import adapter, job
from tests.hub_ui.generate.comparing import one, pair, same, single


@pytest.mark.parametrize("after", [0, 5])
def test_drawing_is_stopped_within_one_step(
    studio: Engine, base: str, kohya: Path, runs: list[int], after: int
) -> None:
    steps: list[Step] = []
    stop = Callbacks(on_progress=steps.append, is_cancelled=lambda: len(runs) >= after and bool(steps))
    with pytest.raises(GenerationCancelled):
        single(studio, adapter(kohya), base=base, steps=20, callbacks=stop)
    assert len(runs) <= after + 1


def test_after_a_stop_everything_is_as_before(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    before = one(studio, base=base)
    runs.clear()
    with pytest.raises(GenerationCancelled):
        pair(studio, adapter(kohya), base=base, steps=20, callbacks=Callbacks(is_cancelled=lambda: len(runs) > 2))
    studio._image_cache.clear()
    assert same(one(studio, base=base), before)


class Held:
    """An image whose first report waits until it is let go."""

    def __init__(self, studio: Engine, base: str) -> None:
        self.made: list[GenerationResult] = []
        self._entered, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=lambda: self.made.append(single(studio, base=base, callbacks=Callbacks(on_progress=self._hold)))
        )
        self._thread.start()
        self._entered.wait(30)

    def _hold(self, _step: Step) -> None:
        self._entered.set()
        self._leave.wait(30)

    def let_go(self, *waiting: threading.Thread) -> None:
        self._leave.set()
        for thread in (self._thread, *waiting):
            thread.join(30)


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

    held, second = Held(studio, base), threading.Thread(target=wait)
    second.start()
    # Opened once the other end is: by whoever reads the file.
    pipe.write_bytes(b"a LoRA")
    held.let_go(second)


def test_closing_waits_for_the_picture_that_is_being_drawn(studio: Engine, base: str) -> None:
    held, closing, asked = Held(studio, base), threading.Thread(target=studio.close), job(base=base)
    closing.start()
    assert studio.estimate(asked, comparison.single(asked)).images == 1
    held.let_go(closing)
    assert (len(held.made), studio._loaded) == (1, None)


def test_what_a_report_raises_keeps_nobody_waiting(studio: Engine, base: str) -> None:
    def gone(_step: Step) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        single(studio, base=base, callbacks=Callbacks(on_progress=gone))
    assert single(studio, base=base).images
