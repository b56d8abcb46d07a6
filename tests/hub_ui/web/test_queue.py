"""What ZeroGPU reads of the visitor who asks, by the names of the real `spaces`."""

from __future__ import annotations

import contextvars
import threading

import gradio as gr
from spaces.utils import gradio_request_var  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.testclient import TestClient

from hub_ui.web.queue import use_request


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
