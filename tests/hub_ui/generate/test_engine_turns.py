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
from tests.hub_ui.generate.comparing import one, same


@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_drawing_is_stopped_within_one_step(
    studio: Engine, base: str, kohya: Path, runs: list[int], after: int
) -> None:
    steps: list[Step] = []
    asked = job(adapter(kohya), base=base, steps=20)
    with pytest.raises(GenerationCancelled):
        studio.generate(
            asked,
            comparison.single(asked),
            Callbacks(on_progress=steps.append, is_cancelled=lambda: len(runs) >= after and bool(steps)),
        )
    assert len(runs) <= after + 1


def test_after_a_stop_everything_is_as_before(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    before = one(studio, base=base)
    asked = job(adapter(kohya), base=base, steps=20)
    runs.clear()
    with pytest.raises(GenerationCancelled):
        studio.generate(asked, comparison.weight_sweep(asked), Callbacks(is_cancelled=lambda: len(runs) > 2))
    studio._image_cache.clear()
    assert same(one(studio, base=base), before)


def test_who_comes_meanwhile_waits_and_may_give_up(studio: Engine, base: str) -> None:
    entered, leave, seen, asked = threading.Event(), threading.Event(), list[str](), job(base=base)

    def hold(_step: Step) -> None:
        entered.set()
        leave.wait(30)

    first = threading.Thread(
        target=studio.generate, args=(asked, comparison.single(asked), Callbacks(on_progress=hold))
    )
    first.start()
    entered.wait(30)
    with pytest.raises(GenerationCancelled):
        studio.generate(
            asked,
            comparison.single(asked),
            Callbacks(on_progress=lambda step: seen.append(step.stage), is_cancelled=lambda: True),
        )
    leave.set()
    first.join()
    assert seen == ["Waiting for another image"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes, which tell when they are read")
def test_who_waits_has_read_the_lora_before_it_is_his_turn(studio: Engine, base: str, tmp_path: Path) -> None:
    entered, leave, pipe = threading.Event(), threading.Event(), tmp_path / "lora.safetensors"
    asked, next_one = job(base=base), job(adapter(pipe), base=base)
    os.mkfifo(pipe)

    def hold(_step: Step) -> None:
        entered.set()
        leave.wait(30)

    def wait() -> None:
        with pytest.raises(GenerationCancelled):
            studio.generate(next_one, comparison.single(next_one), Callbacks(is_cancelled=lambda: True))

    first = threading.Thread(
        target=studio.generate, args=(asked, comparison.single(asked), Callbacks(on_progress=hold))
    )
    second = threading.Thread(target=wait)
    first.start()
    entered.wait(30)
    second.start()
    # Opened once the other end is: by whoever reads the file.
    pipe.write_bytes(b"a LoRA")
    leave.set()
    for thread in (first, second):
        thread.join(30)


def test_closing_waits_for_the_picture_that_is_being_drawn(studio: Engine, base: str) -> None:
    entered, leave, made, asked = threading.Event(), threading.Event(), list[GenerationResult](), job(base=base)

    def hold(_step: Step) -> None:
        entered.set()
        leave.wait(30)

    first = threading.Thread(
        target=lambda: made.append(studio.generate(asked, comparison.single(asked), Callbacks(on_progress=hold)))
    )
    closing = threading.Thread(target=studio.close)
    first.start()
    entered.wait(30)
    closing.start()
    assert studio.estimate(asked, comparison.single(asked)).images == 1
    leave.set()
    for thread in (first, closing):
        thread.join(30)
    assert (len(made), studio._loaded) == (1, None)


def test_what_a_report_raises_keeps_nobody_waiting(studio: Engine, base: str) -> None:
    def gone(_step: Step) -> None:
        raise ConnectionResetError

    asked = job(base=base)
    with pytest.raises(ConnectionResetError):
        studio.generate(asked, comparison.single(asked), Callbacks(on_progress=gone))
    assert studio.generate(asked, comparison.single(asked)).images
