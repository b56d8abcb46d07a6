"""The whole app: its endpoints in Gradio's order, and what it does when it ends."""

import gc
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hub_ui.app import services
from hub_ui.app.jobs import JobSubject
from hub_ui.settings import from_environment
from hub_ui.web import app
from hub_ui.web.app import ENDED, App, build_app, finish_work, limit_arenas
from tests.hub_ui.web.raw import served


@pytest.mark.parametrize("hosted", [False, True])
def test_the_endpoints_are_numbered_as_gradio_numbers_them(tmp_path: Path, hosted: bool) -> None:
    with served(tmp_path, hosted=hosted) as page:
        found = [event["api_name"] for event in page.get("config").json()["dependencies"]]
    assert found == ["search", "show", "inspect", *([] if hosted else ["pull"]), "try", "compare"]


def test_of_what_is_served_nothing_is_gradios_page_and_arenas_are_limited_where_glibc_has_them(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        assert "gradio" not in page.get("").text.lower()
    assert limit_arenas() is (platform.libc_ver()[0] == "glibc")


def test_all_that_there_is_is_seldom_looked_through_for_garbage_while_an_app_serves(tmp_path: Path) -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with served(tmp_path):
        assert (gc.get_threshold()[2], gc.get_freeze_count() > frozen) == (200, True)
    assert gc.get_threshold() == before


def test_what_runs_when_the_app_ends_hears_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "LAST_WORD_SECONDS", 0.1)
    settings = from_environment({"HUB_UI_HOME": str(home), "HUB_UI_STOP_SECONDS": "0"})
    begun = threading.Event()

    def work(on_progress: object, is_cancelled: object) -> None:
        begun.set()
        while not is_cancelled():  # type: ignore[operator]
            threading.Event().wait(0.01)

    with services.build(settings) as built, ExitStack() as closing, ThreadPoolExecutor(1) as pool:
        made = build_app(built, closing, host="localhost", folder=home)
        id_ = made.jobs.start(JobSubject(), work)
        heard = pool.submit(lambda: [getattr(step, "text", "") for _, step in made.jobs.follow(id_, beat=60)])
        begun.wait()
        finish_work(built, made)
    assert heard.result()[-1] == ENDED


def test_a_page_that_follows_a_job_hears_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[App]()

    def build(*given: Any, **named: Any) -> App:
        made.append(build_app(*given, **named))
        return made[-1]

    def work(on_progress: object, is_cancelled: object) -> None:
        while not is_cancelled():  # type: ignore[operator]
            threading.Event().wait(0.01)

    monkeypatch.setattr(app, "build_app", build)
    with served(tmp_path, stop_seconds=0) as page:
        following = page.get(f"jobs/{made[0].jobs.start(JobSubject(), work)}", stream=True)
    assert ENDED in following.text
