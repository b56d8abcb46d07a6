from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import gradio as gr
import pytest
from gradio.state_holder import StateHolder
from starlette.types import Message, Receive, Scope, Send

from hub_ui.web.gradio_queue import QueuePolling, Sessions
from tests.hub_ui.web.test_requests import rules


@pytest.fixture
def holder() -> StateHolder:
    """With a page that is open and one that was left."""
    with gr.Blocks(analytics_enabled=False) as app:
        gr.State("kept")
    made = StateHolder()  # type: ignore[no-untyped-call]
    made.set_blocks(app)
    for session in ("open", "left"):
        assert made[session] is not None
    made.session_data["left"].is_closed = True
    return made


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now()

    def __call__(self) -> datetime:
        return self.now


def swept_after(holder: StateHolder, **passed: float) -> list[str]:
    clock = Clock()
    sessions = Sessions(lambda: holder, clock)
    clock.now += timedelta(**passed)
    sessions.sweep()
    return list(holder.session_data)


def test_a_page_that_was_left_is_forgotten_after_an_hour(holder: StateHolder) -> None:
    assert swept_after(holder, hours=2) == ["open"]


def test_a_page_that_was_left_just_now_is_found_again(holder: StateHolder) -> None:
    assert swept_after(holder, minutes=50) == ["open", "left"]


def test_a_page_is_swept_once_a_minute_at_most(holder: StateHolder) -> None:
    assert swept_after(holder, seconds=59) == ["open", "left"]


def test_an_event_of_the_page_forgets_those_that_were_left() -> None:
    swept: list[str] = []
    replace(rules(), forget_sessions=lambda: swept.append("now")).check_event({"fn_index": 1, "data": []})
    assert swept == ["now"]


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers nothing."""


async def receive() -> Message:
    return {"type": "http.disconnect"}


async def send(message: Message) -> None:
    raise AssertionError(message)


def test_the_queue_looks_often_only_while_somebody_asks() -> None:
    queue = gr.Blocks().queue()._queue
    polling = QueuePolling(nothing, queue=queue, in_use=0.05)
    idle = queue.sleep_when_free

    async def ask_and_wait() -> float:
        await polling({"type": "http"}, receive, send)
        asked: float = queue.sleep_when_free
        while queue.sleep_when_free == asked:
            await asyncio.sleep(0.01)
        return asked

    assert (idle, asyncio.run(ask_and_wait()), queue.sleep_when_free) == (0.2, 0.001, 0.2)


def test_what_is_no_request_wakes_nobody() -> None:
    queue = gr.Blocks().queue()._queue
    asyncio.run(QueuePolling(nothing, queue=queue)({"type": "lifespan"}, receive, send))
    assert queue.sleep_when_free == 0.2
