from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui import services
from hub_ui.library.queue import Queue, Task
from hub_ui.pages.library import downloads
from hub_ui.pages.library.downloads import DrawerContent
from hub_ui.web.view import View
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from tests.hub_ui.library.queueing import A, B, Pulls, eventually, queue
from tests.hub_ui.stand_ins import Hub, lora


@pytest.fixture
def pulls() -> Pulls:
    return Pulls()


@pytest.fixture
def built(home: Any, pulls: Pulls, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    hubs: tuple[Connector, ...] = (Hub(name="civitai", loras=[lora()]),)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made, queue(home, pulls) as started:
        made.downloads.queue = started
        yield made


def look(built: Services, seen: DrawerContent, view: View | None = None) -> Any:
    return downloads.refresh(built, Renderer(), view or View(), seen, 0)


def task(ref: Ref, **fields: Any) -> Task:
    return Task(**{"id": 1, "ref": ref, "title": "Ink lines", "state": "running", **fields})


def test_the_first_look_paints_button_and_drawer_and_lets_the_timer_rest(built: Services) -> None:
    button, drawer, line, timer, seen, arrived = look(built, DrawerContent())
    assert "Downloads" in button
    assert "Nothing is being downloaded." in drawer
    assert (line, timer.active, arrived) == ("", False, gr.skip())
    assert seen.ended == frozenset()


def test_an_update_that_was_lost_on_its_way_comes_again(built: Services) -> None:
    lost = look(built, DrawerContent())
    assert look(built, lost[4])[:3] == lost[:3]


def test_while_something_runs_the_timer_ticks_and_then_it_rests(built: Services, pulls: Pulls) -> None:
    seen = look(built, DrawerContent())[4]
    pulls.held.set()
    added = built.queue.add(A)
    eventually(lambda: pulls.running == 1)
    _, _, _, ticking, seen, _ = look(built, seen)
    assert (ticking.active, ticking.value) == (True, 1.0)
    pulls.let(A)
    built.queue.wait(added.id)
    # One look more, should the update with the end be lost.
    _, _, _, timer, seen, _ = look(built, seen)
    assert (timer, seen.period) == (gr.skip(), 1.0)
    assert look(built, seen)[3].active is False


def test_what_arrives_is_counted_once(built: Services) -> None:
    seen = look(built, DrawerContent())[4]
    built.queue.wait(built.queue.add(A).id)
    *_, seen, arrived = look(built, seen)
    assert arrived == 1
    assert look(built, seen)[5] == gr.skip()


def test_what_was_done_before_the_page_was_opened_did_not_just_arrive(built: Services) -> None:
    built.queue.wait(built.queue.add(A).id)
    assert look(built, DrawerContent())[5] == gr.skip()


def test_the_panel_shows_the_download_of_what_stands_open(built: Services, pulls: Pulls) -> None:
    pulls.held.set()
    built.queue.add(A)
    built.queue.add(B)
    line = look(built, DrawerContent(), View(open="civitai:1@1"))[2]
    assert "All downloads" in line
    assert look(built, DrawerContent(), View(open="civitai:3"))[2] == ""


def test_buttons_reach_the_queue(built: Services, pulls: Pulls) -> None:
    pulls.held.set()
    added = built.queue.add(A)
    downloads.apply_click(built.queue, {"act": "pause", "id": str(added.id)})
    assert [task.state for task in built.queue.tasks()] == ["paused"]
    downloads.apply_click(built.queue, {"act": "cancel", "id": str(added.id)})
    assert built.queue.tasks() == ()


def test_all_are_paused_and_resumed_at_once(built: Services, pulls: Pulls) -> None:
    pulls.held.set()
    tasks = [built.queue.add(A), built.queue.add(B)]
    downloads.apply_click(built.queue, {"act": "pause-all"})
    assert [task.state for task in built.queue.tasks()] == ["paused", "paused"]
    pulls.let(A, B)
    downloads.apply_click(built.queue, {"act": "resume-all"})
    assert [built.queue.wait(task.id).state for task in tasks] == ["done", "done"]


def test_those_that_are_done_are_cleared(built: Services) -> None:
    built.queue.wait(built.queue.add(A).id)
    downloads.apply_click(built.queue, {"act": "clear"})
    assert built.queue.tasks() == ()


@pytest.mark.parametrize("act", [{"act": "stop"}, {"act": "__init__"}, {"act": "look"}, {}])
def test_other_clicks_change_nothing(built: Services, act: dict[str, str]) -> None:
    built.queue.wait(built.queue.add(A).id)
    tasks = built.queue.tasks()
    downloads.apply_click(built.queue, act)
    assert built.queue.tasks() == tasks


def test_a_number_that_is_none_is_refused(built: Services) -> None:
    with pytest.raises(UsageError, match="no download of this list"):
        downloads.apply_click(built.queue, {"act": "pause", "id": "x"})


@pytest.mark.parametrize(
    ("tasks", "seconds"),
    [
        ([], 0.0),
        ([task(A, state="done"), task(B, state="paused")], 0.0),
        ([task(A)], 1.0),
        ([task(A, state="waiting")], 1.0),
        ([task(A, state="waiting", not_before=9.0), task(B, state="failed")], 5.0),
    ],
)
def test_the_page_asks_no_more_often_than_it_has_to(tasks: list[Task], seconds: float) -> None:
    assert downloads.poll_seconds(tasks) == seconds


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("civitai:1", True),
        ("civitai:1@1", True),
        ("civitai:1@2", False),
        ("civitai:1@1#2", False),
        ("civitai:2", False),
    ],
)
def test_refs_that_may_mean_one_file(other: str, same: bool) -> None:
    assert downloads.may_be_same_file(A, Ref.parse(other)) is same


def test_acts_are_methods_of_the_queue() -> None:
    assert all(hasattr(Queue, name) for name in downloads.ACTS)
