import copy
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch

from connectors.errors import UsageError
from hub_ui.generate.request import (
    Callbacks,
    GenerationCancelled,
    ProgressTracker,
    Step,
    replace_attribute,
    spread_weights,
    watch_steps,
)

DIFFUSERS: Any = diffusers


def test_weights_are_none_one_for_all_or_one_for_each() -> None:
    assert [spread_weights((), 2), spread_weights((0.5,), 2), spread_weights((0.1, 0.2), 2)] == [
        [None, None],
        [0.5, 0.5],
        [0.1, 0.2],
    ]
    with pytest.raises(UsageError, match=r"LoRAs: 3, weights: 2\. Give no weight, one for all"):
        spread_weights((0.1, 0.2), 3)


def run(scheduler: Any, count: int = 4) -> list[tuple[int, int]]:
    """A loop as pipelines have it, with a network that predicts nothing."""
    told: list[tuple[int, int]] = []
    pipe = SimpleNamespace(scheduler=scheduler)
    scheduler.set_timesteps(count)
    latents = torch.ones(1, 4, 8, 8)
    with watch_steps(pipe, lambda: None, lambda done, total, _latents: told.append((done, total))):
        for timestep in scheduler.timesteps:
            latents = scheduler.step(torch.zeros_like(latents), timestep, latents, return_dict=False)[0]
    return told


def test_every_step_is_counted() -> None:
    assert run(DIFFUSERS.DDIMScheduler()) == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_scheduler_of_second_order_says_how_often_it_is_called() -> None:
    assert run(DIFFUSERS.HeunDiscreteScheduler())[-1] == (7, 7)


def test_the_scheduler_is_as_before_afterwards() -> None:
    scheduler = DIFFUSERS.EulerDiscreteScheduler()
    run(scheduler)
    assert "step" not in vars(scheduler)


def test_a_copy_of_the_scheduler_steps_itself_and_is_not_counted() -> None:
    """LTX-2 denoises the sound of a clip with a copy."""
    told: list[int] = []
    scheduler = DIFFUSERS.FlowMatchEulerDiscreteScheduler()
    latents = torch.ones(1, 4, 8, 8)
    with watch_steps(SimpleNamespace(scheduler=scheduler), lambda: None, lambda done, *_: told.append(done)):
        other = copy.deepcopy(scheduler)
        for each in (scheduler, other):
            each.set_timesteps(2)
        for timestep in scheduler.timesteps:
            for each in (scheduler, other):
                each.step(torch.zeros_like(latents), timestep, latents)
    assert (told, scheduler.step_index, other.step_index) == ([1, 2], 2, 2)


@pytest.mark.parametrize("whole", [True, False])
def test_the_latents_are_handed_over_whatever_the_form_of_the_answer(whole: bool) -> None:
    seen: list[Any] = []
    pipe = SimpleNamespace(scheduler=DIFFUSERS.DDIMScheduler())
    pipe.scheduler.set_timesteps(1)
    with watch_steps(pipe, lambda: None, lambda _done, _total, latents: seen.append(latents.shape)):
        pipe.scheduler.step(torch.zeros(1, 4, 8, 8), 1, torch.ones(1, 4, 8, 8), return_dict=whole)
    assert seen == [(1, 4, 8, 8)]


def test_a_stop_is_an_error_of_our_own() -> None:
    Callbacks(is_cancelled=lambda: False).raise_if_cancelled()
    with pytest.raises(GenerationCancelled):
        Callbacks(is_cancelled=lambda: True).raise_if_cancelled()


def test_what_somebody_else_put_in_meanwhile_stays() -> None:
    thing = SimpleNamespace(forward="own")
    with replace_attribute(thing, "forward", "ours"):
        thing.forward = "offloaded"
    assert thing.forward == "offloaded"


def course(steps: list[Step], seconds: list[float], rows: int, asked: Any = lambda: False) -> ProgressTracker:
    return ProgressTracker(
        callbacks=Callbacks(on_progress=steps.append, is_cancelled=asked),
        rows=rows,
        steps=2,
        clock=lambda: seconds.pop(0),
    )


def test_steps_are_told_over_all_the_pictures() -> None:
    steps: list[Step] = []
    going = course(steps, [0.0] * 20, rows=3)
    for rows in (2, 1):
        going.start()
        going.step(rows, 1, 2)
        going.step(rows, 2, 2)
        going.finish(rows)
    assert [(step.stage, step.done, step.total) for step in steps] == [
        ("Generating 3 images", done, 6) for done in (0, 2, 4, 4, 5, 6)
    ]


def test_the_time_left_is_what_the_measured_steps_make_it() -> None:
    steps: list[Step] = []
    going = course(steps, [0.0, 5.0, 7.0, 8.0, 8.0, 9.0], rows=2)
    going.start()
    going.step(1, 1, 2)
    going.step(1, 2, 2)
    going.finish(1)
    going.start()
    assert [step.seconds_left for step in steps] == [None, None, 4.0, 4.0]
    assert (going.step_seconds, going.rest_seconds) == (2.0, 4.0)


def test_calls_of_a_second_order_are_told_as_the_steps_asked_for() -> None:
    steps: list[Step] = []
    going = course(steps, [0.0] * 9, rows=1)
    going.start()
    for done in (1, 2, 3):
        going.step(1, done, 3)
    assert [step.done for step in steps] == [0, 1, 1, 2]
