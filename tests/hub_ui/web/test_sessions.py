"""hub_ui/web/sessions.py."""

from __future__ import annotations

from datetime import datetime, timedelta

import gradio as gr
import pytest
from gradio.state_holder import StateHolder

from hub_ui.web.sessions import PlainSessions, Sessions


@pytest.fixture
def holder() -> StateHolder:
    """With a page that is open and one that was left."""
    with gr.Blocks(analytics_enabled=False) as app:
        gr.State("kept")
    made = PlainSessions(app)
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


def test_a_session_keeps_its_own_state_and_no_copy_of_the_page(holder: StateHolder) -> None:
    assert [session.config_values for session in holder.session_data.values()] == [{}, {}]
    [state] = holder.blocks.blocks
    holder["open"][state] = "changed"
    assert (holder["open"][state], holder["left"][state]) == ("changed", "kept")
