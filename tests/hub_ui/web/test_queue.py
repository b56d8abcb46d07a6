"""Gradio's queue and its settings, and what ZeroGPU reads of the visitor who asks, by the names of `spaces`."""

import asyncio
import contextlib
import contextvars
import os
import threading
from pathlib import Path

import gradio as gr
import pytest
from gradio.queueing import Queue
from spaces.utils import gradio_request_var  # type: ignore[import-untyped]
from spaces.zero.gradio import get_server_port  # type: ignore[import-untyped]
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.testclient import TestClient

from hub_ui.hosting.visitor import Visitors, current_visitor
from hub_ui.i18n import _
from hub_ui.web import queue
from hub_ui.web.queue import RestingQueue, gradio_settings, use_caller, use_request


def quota_of_visitor() -> str:
    """As spaces/zero/client.py reads it, in the thread that asks for a GPU."""
    request = gradio_request_var().get(None)
    return "" if request is None else str(request.headers.get("x-ip-token"))


def test_the_thread_of_a_job_has_the_quota_of_the_visitor_who_started_it() -> None:
    server, found = gr.Server(), list[str]()

    @server.post("/make")
    def make(request: Request) -> None:
        with use_request(request):
            run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(lambda: found.append(quota_of_visitor()),))
        thread.start()
        thread.join()
        found.append(quota_of_visitor())

    TestClient(server).post("/make", headers={"X-IP-Token": "of ada"})
    assert found == ["of ada", ""]


def test_a_job_knows_the_port_of_its_server_which_a_gpu_process_lets_go_and_whose_queue_rests() -> None:
    server, found = gr.Server(), list[int | None]()

    @server.post("/make")
    def make(request: Request) -> None:
        with use_request(request):
            found.append(get_server_port())

    with gradio_settings():
        _app, url, _share = server.launch(prevent_thread_lock=True, quiet=True, _frontend=False)
        assert TestClient(server).post("/make").status_code == 200
        waiting = server.get_blocks()._queue
        server.get_blocks().close(verbose=False)
    assert (type(waiting), waiting.max_size) == (RestingQueue, 2000)
    assert found == [int(url.rstrip("/").rpartition(":")[2])]


def test_an_endpoint_speaks_the_language_of_its_caller_and_has_their_rights() -> None:
    visitors, found = Visitors(), list[tuple[str, str]]()
    ada = visitors.get("")
    headers = {"accept-language": "ja", "cookie": f"hub-ui-visitor={ada.id}"}
    with gr_request(headers), use_caller(visitors):
        visitor = current_visitor()
        found.append((_("Search"), visitor.id if visitor else ""))
    with use_caller(None):
        found.append((_("Search"), str(current_visitor())))
    assert found == [("検索", ada.id), ("Search", "None")]


def gr_request(headers: dict[str, str]) -> contextlib.AbstractContextManager[None]:
    scope = {"type": "http", "headers": Headers(headers).raw, "app": gr.Server()}
    return use_request(Request(scope))


def resting() -> Queue:
    with gradio_settings(), gr.Blocks() as page:
        made = page.queue()._queue
    assert isinstance(made, RestingQueue)
    return made


def test_the_queue_looks_often_only_while_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    made, found = resting(), list[float]()
    monkeypatch.setattr(queue, "ASKED_SECONDS", 0.05)

    async def ask_and_wait() -> None:
        with pytest.raises(AttributeError):
            await made.push(None, None, None)  # type: ignore[arg-type]
        found.append(made.sleep_when_free)
        await asyncio.sleep(0.06)
        found.append(made.sleep_when_free)

    assert made.sleep_when_free == 0.5
    asyncio.run(ask_and_wait())
    assert found == [0.002, 0.5]


def test_the_queue_looks_for_nothing_before_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    made, looks = resting(), list[None]()
    counted = property(lambda self: looks.append(None) or 0.001, lambda self, seconds: None)  # type: ignore[func-returns-value]
    monkeypatch.setattr(RestingQueue, "sleep_when_free", counted)

    async def ask_late() -> None:
        processing = asyncio.create_task(made.start_processing())
        await asyncio.sleep(0.05)
        assert looks == []
        with pytest.raises(AttributeError):
            await made.push(None, None, None)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        processing.cancel()

    asyncio.run(ask_late())
    assert looks != []


def test_a_page_sums_up_no_events_and_makes_no_event_loop_that_nobody_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = resting()
    made.events_recorded = 10_000
    made.compute_analytics_summary([{"function": "search", "status": "success", "process_time": 0.1}])  # type: ignore[no-untyped-call]
    assert (made.cached_event_analytics_summary, made.ANALYTICS_MAX_EVENTS) == ({"functions": {}}, 1)
    loops: list[None] = []
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: loops.append(None))
    resting()
    assert loops == []


def test_settings_of_gradio_are_as_before_when_the_page_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/mine")
    monkeypatch.delenv("GRADIO_ANALYTICS_MAX_EVENTS", raising=False)
    # Another server may run beside this test.
    before = gr.Blocks().queue()._queue.__class__
    with gradio_settings() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
    assert (os.environ["GRADIO_TEMP_DIR"], os.environ.get("GRADIO_ANALYTICS_MAX_EVENTS")) == ("/mine", None)
    assert (gr.Blocks().queue()._queue.__class__, Path(folder).exists()) == (before, False)
