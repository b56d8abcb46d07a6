"""The server of a page: slow and halved connections, Gradio's queue, and what ZeroGPU reads of the visitor who asks."""

import asyncio
import contextlib
import contextvars
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import pytest
import requests
from gradio import http_server
from gradio.exceptions import ServerFailedToStartError
from gradio.queueing import Queue
from spaces.utils import gradio_request_var  # type: ignore[import-untyped]
from spaces.zero.gradio import get_server_port  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from uvicorn import Config

from hub_ui.access.visitor import Visitors, current_visitor
from hub_ui.base.i18n import _
from hub_ui.web import server
from hub_ui.web.server import (
    Connections,
    PatientServer,
    RestingQueue,
    gradio_settings,
    patient_launch,
    use_caller,
    use_request,
)
from tests.hub_ui.library.download.queueing import eventually
from tests.programs import free_run_of_ports


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@asynccontextmanager
async def slow_start(app: Starlette) -> AsyncIterator[None]:
    time.sleep(1)
    yield


def bounds(**changed: Any) -> Connections:
    usual = {"files": 1024, "at_address": 100, "address_of": lambda peer: peer, "header_seconds": 600.0}
    return Connections(**{**usual, **changed})


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's five seconds are over in a twentieth of one."""
    monkeypatch.setattr(http_server, "time", SimpleNamespace(time=lambda: 100 * time.time(), sleep=time.sleep))


@pytest.mark.usefixtures("hasty")
def test_a_server_that_starts_slowly_is_waited_for() -> None:
    with running(bounds(), lifespan=slow_start) as connect:
        assert send(connect(), HALF + REST).endswith(b"here")


def test_a_server_stops_when_it_is_told_to_however_rarely_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TICK_SECONDS", 3600.0)
    with running(bounds()) as connect:
        assert send(connect(), HALF + REST).endswith(b"here")
    with pytest.raises(ConnectionRefusedError):
        connect()


async def endless(request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield "here"
        await asyncio.Event().wait()

    return StreamingResponse(parts())


def test_a_stream_whose_page_stays_open_ends_with_the_server() -> None:
    with running(bounds(), endless) as connect:
        page = connect().dup()
        page.sendall(HALF + REST)
        assert page.recv(4096).startswith(b"HTTP/1.1 200 OK")
    with page:
        page.settimeout(10)
        while page.recv(4096):
            pass


@pytest.mark.usefixtures("hasty")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_port_of_another_program_is_no_slow_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = Config(Starlette(), port=other.getsockname()[1], log_level="critical")
        refused = PatientServer(config=config, connections=bounds())
        with pytest.raises(ServerFailedToStartError):
            refused.run_in_thread()
    assert not refused.thread.is_alive()


def test_what_is_launched_has_the_patient_server_and_nothing_else() -> None:
    usual = http_server.Server
    with patient_launch(bounds()):
        assert http_server.Server.func is PatientServer  # type: ignore[attr-defined]
    assert http_server.Server is usual


HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
REST = b"\r\n"


@contextmanager
def running(
    connections: Connections, reply: Callable[..., Any] = answer, lifespan: Any = None
) -> Iterator[Callable[[], socket.socket]]:
    """A server, and what opens a connection to it."""
    app, port = Starlette(routes=[Route("/", reply)], lifespan=lifespan), free_run_of_ports()
    served = PatientServer(config=Config(app, port=port, log_level="warning"), connections=connections)
    served.run_in_thread()
    with ExitStack() as closing:
        closing.callback(served.close)
        yield lambda: closing.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))


def send(connection: socket.socket, data: bytes) -> bytes:
    """What comes in return; nothing if the connection is closed."""
    came = b""
    try:
        connection.sendall(data)
        while not came.endswith((b"here", b"late")) and (piece := connection.recv(4096)):
            came += piece
    except (ConnectionResetError, BrokenPipeError):
        return b""
    return came


@pytest.mark.parametrize("sent", [b"", HALF])
def test_a_header_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    with running(bounds(header_seconds=0.3)) as connect:
        assert send(connect(), sent) == b""


def test_neither_is_the_one_of_the_next_request() -> None:
    with running(bounds(header_seconds=1.0)) as connect:
        connection = connect()
        assert send(connection, HALF + REST).endswith(b"here")
        assert send(connection, HALF) == b""


def test_a_header_without_an_end_is_given_up() -> None:
    with running(bounds()) as connect:
        assert send(connect(), HALF + 70 * (b"X: " + 1000 * b"x" + b"\r\n")) == b""
        assert send(connect(), HALF + 40 * (b"X: " + 1000 * b"x" + b"\r\n") + REST).endswith(b"here")


def test_a_request_that_is_answered_slowly_is_none_that_is_sent_slowly() -> None:
    async def answer_later(request: Request) -> PlainTextResponse:
        await asyncio.sleep(1.5)
        return PlainTextResponse("late")

    with running(bounds(header_seconds=1.0), answer_later) as connect:
        assert send(connect(), HALF + REST).endswith(b"late")


def test_of_half_sent_requests_the_oldest_goes_for_the_newest() -> None:
    with running(bounds(half_sent=5)) as connect:
        sent = [connect() for _ in range(12)]
        for each in sent:
            each.sendall(HALF)
        assert send(sent[0], b"") == b""
        assert send(sent[-1], REST).endswith(b"here")
        assert send(connect(), HALF + REST).endswith(b"here")


def test_one_address_has_so_many_connections_and_others_have_theirs() -> None:
    peers = iter(["8.8.8.8"] * 4 + ["9.9.9.9"] + ["8.8.8.8"] * 100)
    with running(bounds(at_address=3, address_of=lambda peer: next(peers))) as connect:
        own = [connect() for _ in range(3)]
        assert [send(each, HALF + REST)[-4:] for each in own] == [b"here"] * 3
        assert send(connect(), HALF + REST) == b""
        assert send(connect(), HALF + REST).endswith(b"here")
        own[0].close()
        # The server may hear of it a moment later.
        eventually(lambda: send(connect(), HALF + REST).endswith(b"here"))


def test_a_proxys_connections_are_those_of_many_people() -> None:
    with running(bounds(at_address=3, address_of=lambda peer: "")) as connect:
        assert [send(connect(), HALF + REST)[-4:] for _ in range(6)] == [b"here"] * 6


LIMITED = """
import os, resource, sys, threading
from hub_ui import settings
from hub_ui.app import services
from hub_ui.web.app import serving
from hub_ui.web.server import raise_file_limit
with services.build(settings.from_environment(os.environ, hosted=True)) as built, serving(built) as url:
    print(url, resource.getrlimit(resource.RLIMIT_NOFILE)[0], raise_file_limit(), flush=True)
    threading.Event().wait()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_hundreds_of_half_sent_requests_leave_a_hosted_page_as_it_was(home: Path) -> None:
    """It opens as many files as it is allowed, not as many as it is given."""
    command = f'ulimit -Sn 200; ulimit -Hn 256; exec "{sys.executable}" -c "$0"'
    environ = {**os.environ, "HUB_UI_HOME": str(home), "GRADIO_SERVER_PORT": str(free_run_of_ports())}
    with subprocess.Popen(["sh", "-c", command, LIMITED], env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, *limits = process.stdout.readline().split()
            assert limits == ["256", "256"]
            place = urlsplit(url)
            with ExitStack() as closing:
                for _ in range(300):
                    one = closing.enter_context(socket.create_connection((place.hostname, place.port), timeout=30))
                    with suppress(OSError):
                        one.sendall(HALF)
                assert requests.get(f"{url}health", timeout=30).json() == {"status": "alive"}
        finally:
            process.kill()


def quota_of_visitor() -> str:
    """As spaces/zero/client.py reads it, in the thread that asks for a GPU."""
    request = gradio_request_var().get(None)
    return "" if request is None else str(request.headers.get("x-ip-token"))


def test_the_thread_of_a_job_has_the_quota_of_the_visitor_who_started_it() -> None:
    app, found = gr.Server(), list[str]()

    @app.post("/make")
    def make(request: Request) -> None:
        with use_request(request):
            run = contextvars.copy_context().run
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(run, quota_of_visitor).result())
        found.append(quota_of_visitor())

    TestClient(app).post("/make", headers={"X-IP-Token": "of ada"})
    assert found == ["of ada", ""]


def test_a_job_knows_the_port_of_its_server_which_a_gpu_process_lets_go_and_whose_queue_rests() -> None:
    app, found = gr.Server(), list[int | None]()

    @app.post("/make")
    def make(request: Request) -> None:
        with use_request(request):
            found.append(get_server_port())

    with gradio_settings():
        _app, url, _share = app.launch(prevent_thread_lock=True, quiet=True, _frontend=False)
        assert TestClient(app).post("/make").status_code == 200
        waiting = app.get_blocks()._queue
        app.get_blocks().close(verbose=False)
    assert (type(waiting), waiting.max_size) == (RestingQueue, 2000)
    assert found == [int(url.rstrip("/").rpartition(":")[2])]


def test_an_endpoint_speaks_the_language_of_its_caller_and_has_their_rights() -> None:
    visitors, found = Visitors(), list[tuple[str, str]]()
    ada = visitors.find("")
    visitors.keep(ada)
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
    monkeypatch.setattr(server, "ASKED_SECONDS", 0.05)

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
