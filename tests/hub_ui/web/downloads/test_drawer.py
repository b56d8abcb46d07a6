from __future__ import annotations

from typing import Any

import pytest

from connectors.ref import Ref
from hub_ui.library.queue import Failure, Task, TaskState
from hub_ui.web.downloads import drawer

INK = Ref.parse("civitai:1001@2001#3001")
NOW = 1_000_000.0
DOWN = Failure(name="HubDown", message="CivitAI can't be reached.")
HALF_WAY: dict[str, Any] = {"done": 12_000_000, "total": 38_000_000}
LATER: dict[str, Any] = {"state": "waiting", "not_before": NOW + 58}
GATED = Failure(name="Gated", message="The author grants access one by one.")


def task(**fields: Any) -> Task:
    return Task(**{"id": 7, "ref": INK, "title": "Ink lines", "state": "running", **fields})


def page_of(ref: Ref) -> str:
    return f"https://civitai.com/models/{ref.id}"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (HALF_WAY | {"speed": 4.1e6, "seconds_left": 6.3}, "12 MB of 38 MB · 4.1 MB/s · 6 s left"),
        ({"done": 12_000_000, "speed": 4.1e6}, "12 MB · 4.1 MB/s"),
        ({}, "Asking the hub…"),
        ({"state": "waiting"}, "Waits for its turn"),
        (LATER | {"attempts": 2, "error": DOWN}, "Tried again in 58 s · failed 2 of 5 times"),
        ({"state": "waiting", "not_before": NOW + 90}, "Starts in 1 min 30 s: its hub asks us to wait"),
        (HALF_WAY | {"state": "paused"}, "Paused · 12 MB of 38 MB"),
        ({"state": "failed", "error": DOWN}, "Not downloaded"),
        ({"state": "done", "total": 38_000_000}, "38 MB · in the library"),
    ],
)
def test_each_state_in_a_few_words(fields: dict[str, Any], said: str) -> None:
    assert drawer.line(task(**fields), NOW) == said


@pytest.mark.parametrize(
    ("fields", "buttons"),
    [
        ({}, ["Pause", "Cancel"]),
        ({"state": "waiting", "not_before": NOW + 5}, ["Try now", "Pause", "Cancel"]),
        ({"state": "paused"}, ["Resume", "Cancel"]),
        ({"state": "failed", "error": DOWN}, ["Try again", "Remove"]),
    ],
)
def test_each_state_has_its_buttons(fields: dict[str, Any], buttons: list[str]) -> None:
    assert [text for _, text in drawer.row(task(**fields), NOW, page_of).buttons] == buttons


def test_what_its_hub_asks_for_links_to_the_hubs_page() -> None:
    assert drawer.row(task(state="failed", error=GATED), NOW, page_of).link == "https://civitai.com/models/1001"
    assert drawer.row(task(state="failed", error=DOWN), NOW, page_of).link == ""


def test_what_runs_stands_first_and_what_is_done_last() -> None:
    states: list[TaskState] = ["done", "waiting", "failed", "running", "paused", "done"]
    tasks = [task(id=number, state=state) for number, state in enumerate(states)]
    assert [found.id for found in drawer.sort_tasks(tasks)] == [3, 2, 4, 1, 5, 0]
