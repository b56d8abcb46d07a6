from __future__ import annotations

import threading

import gradio as gr
import pytest

from connectors.errors import NotFound
from hub_ui.pages.edge import stepping, told


def test_our_failures_become_a_message_to_the_person() -> None:
    with pytest.raises(gr.Error, match="gone"), told():
        raise NotFound("It is gone.")


def test_reports_come_as_steps_and_the_result_at_the_end() -> None:
    def work(report: object, cancelled: object) -> str:
        report(1)  # type: ignore[operator]
        return "made"

    steps = stepping(work)
    assert next(steps) == 1
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "made"


def test_a_failure_of_the_work_is_raised_where_it_is_shown() -> None:
    def work(report: object, cancelled: object) -> None:
        raise NotFound("It is gone.")

    with pytest.raises(NotFound):
        next(stepping(work))


def test_closing_the_steps_asks_the_work_to_stop() -> None:
    stopped = threading.Event()

    def work(report: object, cancelled: object) -> None:
        report(1)  # type: ignore[operator]
        while not cancelled():  # type: ignore[operator]
            stopped.wait(0.01)
        stopped.set()

    steps = stepping(work)
    next(steps)
    steps.close()
    assert stopped.wait(5)
