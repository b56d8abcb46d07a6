from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import requests
from gradio import http_server
from gradio.exceptions import ServerFailedToStartError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn import Config

from hub_ui.web.server import PatientServer, patient_launch
from tests.hub_ui.demo.hubs.test_server import free_run_of_ports


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@asynccontextmanager
async def slow_start(app: Starlette) -> AsyncIterator[None]:
    time.sleep(1)
    yield


def test_a_server_that_starts_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Gradio's five seconds are over in a twentieth of one.
    fast = SimpleNamespace(time=lambda: 100 * time.time(), sleep=time.sleep)
    monkeypatch.setattr(http_server, "time", fast)
    app, port = Starlette(routes=[Route("/", answer)], lifespan=slow_start), free_run_of_ports()
    server = PatientServer(config=Config(app, port=port, log_level="warning"))
    server.run_in_thread()
    try:
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=30).text == "here"
    finally:
        server.close()  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_port_of_another_program_is_no_slow_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = PatientServer(config=Config(Starlette(), port=other.getsockname()[1], log_level="critical"))
        with pytest.raises(ServerFailedToStartError):
            server.run_in_thread()
    assert not server.thread.is_alive()


def test_what_is_launched_has_the_patient_server_and_nothing_else() -> None:
    with patient_launch():
        assert http_server.Server is PatientServer
    assert http_server.Server is not PatientServer
