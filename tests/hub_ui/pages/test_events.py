from __future__ import annotations

import threading
import time
from collections.abc import Callable

import gradio as gr
import pytest

from connectors.errors import NotFound
from hub_ui.pages.events import Listeners, Turns, errors_as_messages, run_in_thread, while_current


def test_our_failures_become_a_message_to_the_person() -> None:
    with pytest.raises(gr.Error, match="gone"), errors_as_messages():
        raise NotFound("It is gone.")


def test_what_a_file_is_called_stays_text_in_a_message() -> None:
    with pytest.raises(gr.Error) as shown, errors_as_messages():
        raise NotFound("“<b>${x}” is gone & won't come back.")
    assert shown.value.message == "“&lt;b&gt;${x}” is gone &amp; won't come back."


def test_reports_come_as_steps_and_the_result_at_the_end() -> None:
    def work(report: object, cancelled: object) -> str:
        report(1)  # type: ignore[operator]
        return "made"

    steps = run_in_thread(work)
    assert next(steps) == 1
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "made"


def test_silent_work_can_be_stopped_between_two_beats() -> None:
    seen = threading.Event()

    def work(_report: object, cancelled: Callable[[], bool]) -> None:
        while not cancelled():
            time.sleep(0.001)
        seen.set()

    steps = run_in_thread(work, beat=0.01)
    assert next(steps) is None
    steps.close()
    assert seen.wait(30)


def test_a_failure_of_the_work_is_raised_where_it_is_shown() -> None:
    def work(report: object, cancelled: object) -> None:
        raise NotFound("It is gone.")

    with pytest.raises(NotFound):
        next(run_in_thread(work))


def test_closing_the_steps_asks_the_work_to_stop() -> None:
    stopped = threading.Event()

    def work(report: object, cancelled: object) -> None:
        report(1)  # type: ignore[operator]
        while not cancelled():  # type: ignore[operator]
            stopped.wait(0.01)
        stopped.set()

    steps = run_in_thread(work)
    next(steps)
    steps.close()
    assert stopped.wait(30)


def test_the_updates_of_several_pages_are_one_event() -> None:
    listeners = Listeners()
    with gr.Blocks() as app:
        view, one, two, three = (gr.State() for _ in range(4))
        listeners.add(lambda now: f"one of {now}", [view], [one])
        listeners.add(lambda now, before: (f"two of {now}", before), [view, two], [two, three])
        listeners.connect(view.change)
    [event] = app.fns.values()
    assert event.outputs == [one, two, three]
    assert event.fn("a", "a", "b") == ["one of a", "two of a", "b"]


def page(name: str) -> gr.Request:
    return gr.Request(session_hash=name)


def test_a_later_request_takes_the_turn_of_its_own_page_only() -> None:
    turns = Turns()
    first, other = turns.take(page("a")), turns.take(page("b"))
    second = turns.take(page("a"))
    assert [turns.is_at(page("a"), turn) for turn in (first, second)] == [False, True]
    assert turns.is_at(page("b"), other)


def test_steps_nobody_wants_any_more_are_left_out() -> None:
    wanted = iter([True, False])
    assert list(while_current("abc", lambda: next(wanted), "")) == ["a", ""]


def test_the_last_step_changes_nothing_for_gradio_sends_it_twice() -> None:
    assert list(while_current("ab", lambda: True, "")) == ["a", "b", ""]
