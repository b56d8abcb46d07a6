"""Names and other web pages, on every route of the page: DNS rebinding and requests from other sites."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.queueing import Event, Queue
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from hub_ui.hosting.visitor import Visitor as Person
from hub_ui.hosting.visitor import use_visitor
from hub_ui.settings import from_environment
from hub_ui.web.middleware import AllowedHosts, EventStream, QueuePolling, count_pending
from hub_ui.web.refused import Refused
from hub_ui.web.requests import PendingRequests
from hub_ui.web.sessions import OpenStreams
from tests.hub_ui.web.raw import Visitor, served
from tests.hub_ui.web.test_requests import rules

ROUTES = ["", "config", "gradio_api/info", "gradio_api/file=x", "gradio_api/queue/data?session_hash=x", "theme.css"]
POSTS = ["gradio_api/queue/join", "gradio_api/upload", "gradio_api/cancel", "gradio_api/run/x", "gradio_api/call/x"]


def refusal(hosts: AllowedHosts, **headers: str) -> str:
    try:
        hosts.check(Headers(headers))
    except Refused as refused:
        return refused.message
    return ""


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_answers_to_the_name_of_another_site(local: Visitor, route: str) -> None:
    answer = replace(local, headers={"Host": "evil.example"}).get(route)
    assert (answer.status_code, "does not answer to the name “evil.example”" in answer.text) == (403, True)


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
    ],
)
def test_no_route_takes_a_post_from_another_site(local: Visitor, route: str, headers: dict[str, str]) -> None:
    answer = replace(local, headers=headers).post(route, json={"session_hash": "x", "fn_index": 0, "data": []})
    assert answer.status_code == 403


def test_an_upload_from_another_site_is_refused(local: Visitor) -> None:
    stranger = replace(local, headers={"Origin": "http://localhost:9999"})
    assert stranger.post("gradio_api/upload", files={"files": ("x.png", b"x")}).status_code == 403


def test_the_page_itself_may_post(local: Visitor) -> None:
    own = replace(local, headers={"Origin": local.url.rstrip("/")})
    assert own.post("gradio_api/upload", files={"files": ("x.txt", b"x")}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "192.168.1.20", "LOCALHOST", "box.lan", "localhost."],
)
def test_addresses_and_own_names_are_answered(host: str) -> None:
    assert refusal(AllowedHosts(names=frozenset({"box.lan"})), host=host) == ""


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::1", "a b"])
def test_other_names_are_not(host: str) -> None:
    assert "does not answer to the name" in refusal(AllowedHosts(), host=host)


def test_the_name_of_the_computer_is_its_own() -> None:
    assert refusal(AllowedHosts(own=frozenset({"tower"})), host="tower:7860", origin="http://tower:7860") == ""


@pytest.mark.parametrize("origin", ["http://127.0.0.1:7860", "https://page.example"])
def test_an_origin_is_the_page_itself_or_a_name_that_was_allowed(origin: str) -> None:
    assert refusal(AllowedHosts(names=frozenset({"page.example"})), host="127.0.0.1:7860", origin=origin) == ""


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:9999", "http://127.0.0.1", "file://127.0.0.1:7860", "null", "", "http://[::1"]
)
def test_another_origin_is_refused_by_name(origin: str) -> None:
    assert f"Another web page ({origin})" in refusal(AllowedHosts(), host="127.0.0.1:7860", origin=origin)


def test_a_default_port_may_be_left_out() -> None:
    assert refusal(AllowedHosts(names=frozenset()), host="127.0.0.1", origin="http://127.0.0.1:80") == ""


def test_a_name_that_was_allowed_is_answered(tmp_path: Path) -> None:
    with served(tmp_path, allowed_hosts=frozenset({"box.example"})) as visitor:
        named = replace(visitor, headers={"Host": "box.example", "Origin": "https://box.example"})
        assert (named.get("config").status_code, named.get("").status_code) == (200, 200)


def test_a_shared_page_answers_behind_any_proxy(hosted: Visitor) -> None:
    headers = {"Host": "someone-page.hf.space", "Origin": "https://someone-page.hf.space"}
    assert replace(hosted, headers=headers).get("config").status_code == 200


def test_the_names_that_are_allowed_come_from_the_environment(home: Path) -> None:
    environ = {"HUB_UI_HOME": str(home), "HUB_UI_ALLOWED_HOSTS": "Box.lan, page.example"}
    assert from_environment(environ).allowed_hosts == {"box.lan", "page.example"}


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


def test_the_queue_that_is_polled_is_the_one_that_runs(tmp_path: Path) -> None:
    with served(tmp_path) as visitor:
        running = [page for page in gr.Blocks.get_instances() if page.is_running]
        [page] = [page for page in running if page.local_url == visitor.url]
        polling: Any = page.server_app.middleware_stack
        while not isinstance(polling, QueuePolling):
            polling = polling.app
        polling.in_use = 0.05
        assert visitor.get("health").status_code == 200
        while page._queue.sleep_when_free != 0.2:
            assert polling.queue is page._queue
            time.sleep(0.01)


def test_what_is_no_request_wakes_nobody() -> None:
    queue = gr.Blocks().queue()._queue
    asyncio.run(QueuePolling(nothing, queue=queue)({"type": "lifespan"}, receive, send))
    assert queue.sleep_when_free == 0.2


def ask_as(queue: Queue, visitor: Person, session: str) -> None:
    with gr.Blocks() as page:
        gr.Button().click(lambda: None)
    request = Request({"type": "http", "headers": [], "state": {"visitor": visitor}})
    event = Event(session, page.fns[0], request, None)
    queue.event_ids_to_events[event._id] = event


def test_requests_without_an_answer_are_counted_for_who_asks_and_their_address() -> None:
    queue = gr.Blocks().queue()._queue
    for name, session in (("ada", "one"), ("ada", "other"), ("ben", "one")):
        ask_as(queue, Person(id=name, address="8.8.8.8"), session)
    ask_as(queue, Person(id="new", address="9.9.9.9", known=False), "one")
    queue.pending_event_ids_session["unread"] = {"a", "b", "c"}
    counts = []
    for visitor, session in (
        (Person(id="ada", address="8.8.8.8"), "a third"),
        (Person(id="ben", address="8.8.8.8"), "unread"),
        (Person(id="newer", address="9.9.9.9", known=False), "a fourth"),
    ):
        with use_visitor(visitor):
            counts.append(count_pending(queue, session))
    assert [(found.own, found.address) for found in counts] == [(2, 3), (3, 3), (1, 1)]
    assert count_pending(queue, "unread") == PendingRequests(own=3, address=0)


def test_the_stream_of_a_session_that_is_gone_has_an_end(local: Visitor) -> None:
    messages = list(local.messages())
    assert [(message["msg"], message["session_not_found"]) for message in messages] == [("unexpected_error", True)]


@pytest.mark.parametrize(
    ("path", "error", "number"),
    [
        ("/gradio_api/queue/data", KeyError("session"), 2),
        ("/gradio_api/queue/data", RuntimeError("the program is at fault"), 1),
        ("/gradio_api/queue/join", KeyError("session"), 1),
    ],
)
def test_a_stream_ends_as_one_only_where_its_session_is_missed(path: str, error: Exception, number: int) -> None:
    messages: list[Message] = []

    async def break_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def note(message: Message) -> None:
        messages.append(message)

    with nullcontext() if number == 2 else pytest.raises(type(error)):
        stream = EventStream(break_off, streams=OpenStreams(), queue=gr.Blocks().queue()._queue)
        asyncio.run(stream({"type": "http", "path": path}, receive, note))
    assert len(messages) == number


@pytest.mark.parametrize(
    ("path", "query", "session"),
    [
        ("/gradio_api/queue/data", b"session_hash=abc", "abc"),
        ("/gradio_api/call/try/abc", b"", "abc"),
        ("/gradio_api/call/v2/try/abc", b"", "abc"),
        ("/gradio_api/queue/data", b"", ""),
        ("/gradio_api/info", b"session_hash=abc", ""),
    ],
)
def test_a_stream_counts_as_read_while_it_is_open(path: str, query: bytes, session: str) -> None:
    streams, seen = OpenStreams(), list[bool]()

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(streams.is_read("abc"))

    stream = EventStream(look, streams=streams, queue=gr.Blocks().queue()._queue)
    asyncio.run(stream({"type": "http", "path": path, "query_string": query}, receive, send))
    assert (seen, streams.is_read("abc")) == ([session == "abc"], False)


@pytest.mark.parametrize(
    ("headers", "code", "word"),
    [
        ({"Accept-Language": "ja,en;q=0.5"}, "ja", "検索"),
        ({"Accept-Language": "ja", "Cookie": "hub-ui-language=zh-CN"}, "zh-CN", "搜索"),
        ({"Accept-Language": "fr"}, "en", "Search"),
        ({}, "en", "Search"),
    ],
)
def test_the_page_comes_in_the_language_of_its_request(
    local: Visitor, headers: dict[str, str], code: str, word: str
) -> None:
    answer = replace(local, headers=headers).get("")
    assert f'lang="{code}"' in answer.text
    assert f"'language', {{ value: '{code}' }}" in answer.text
    assert json.dumps(word) in answer.text or f'"{word}"' in answer.text
