"""Which routes the page has, by raw HTTP, and how much a request may hold."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hub_ui.policy import HOSTED
from hub_ui.web.refusal import Refused
from hub_ui.web.requests import Rules, Waiting, sweep
from tests.hub_ui.web.raw import Visitor

QUIET = Waiting(queued=0, own_queued=0, events=0)


def rules(waiting: Waiting = QUIET) -> Rules:
    return Rules(
        limits=HOSTED.limits,
        folder=Path("nowhere"),
        uploaded=lambda path: False,
        waiting=lambda session: waiting,
        generates=lambda number: number == 7,
        forget_sessions=lambda: None,
    )


@pytest.mark.parametrize(
    "route",
    [
        "gradio_api/run/predict", "gradio_api/api/predict", "gradio_api/call/x", "gradio_api/component_server",
        "gradio_api/process_recording", "gradio_api/stream/x", "gradio_api/vibe-edit", "gradio_api/call/v2/x", "login",
        "gradio_api/run-history/connect",
    ],
)  # fmt: skip
def test_routes_that_the_page_does_not_use_are_closed(local: Visitor, route: str) -> None:
    assert local.post(route, json={}).status_code == 404


@pytest.mark.parametrize(
    "route",
    [
        "gradio_api/deep_link?session_hash=x", "gradio_api/proxy=http://127.0.0.1:9/", "monitoring/summary",
        "gradio_api/file=http://127.0.0.1:9/x", "gradio_api/file=https%3A//127.0.0.1/x",
        "gradio_api/run-history/records",
    ],
)  # fmt: skip
def test_nothing_is_fetched_or_kept_for_whoever_asks(local: Visitor, route: str) -> None:
    assert local.get(route).status_code == 404


@pytest.mark.parametrize("path", ["/etc/hostname", "/proc/self/environ", "~/.netrc", "%2e%2e/%2e%2e/etc/hostname"])
def test_no_other_file_is_served(local: Visitor, path: str) -> None:
    assert local.get(f"gradio_api/file={path}").status_code == 403


def test_a_request_that_is_too_long_is_refused_with_a_sentence(hosted: Visitor) -> None:
    answer = hosted.join(0, ["x" * 1_100_000])
    assert (answer.status_code, answer.json()["detail"].split(".")[0]) == (413, "This is too much for one request")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"[" * 100_000, b'{"data": ' + b"[" * 100_000, b"\xff"])
def test_a_request_that_can_not_be_read_is_refused(local: Visitor, body: bytes) -> None:
    assert local.post("gradio_api/queue/join", data=body).status_code == 400


def test_a_page_with_two_generations_waiting_asks_for_no_third() -> None:
    with pytest.raises(Refused, match="Your last images are not made yet"):
        rules(Waiting(queued=2, own_queued=2, events=5)).check_event({"fn_index": 7, "data": []})


def test_other_events_go_on_while_generations_wait() -> None:
    rules(Waiting(queued=20, own_queued=2, events=5)).check_event({"fn_index": 8, "data": []})


def test_a_full_queue_of_generations_is_said() -> None:
    with pytest.raises(Refused, match="Many people wait for images"):
        rules(Waiting(queued=20, own_queued=0, events=0)).check_event({"fn_index": 7, "data": []})


def test_a_page_that_reads_none_of_its_answers_is_stopped(hosted: Visitor) -> None:
    number = next(event.number for event in hosted.events() if event.name == "dice.click")
    codes = [hosted.join(number, []).status_code for _ in range(101)]
    assert (codes[:100], codes[100]) == ([200] * 100, 429)


def test_old_uploads_are_taken_away(tmp_path: Path) -> None:
    old, new = tmp_path / "a" / "old.png", tmp_path / "new.png"
    old.parent.mkdir()
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    sweep(tmp_path, time.time() - 3600)
    assert (old.exists(), new.exists()) == (False, True)
