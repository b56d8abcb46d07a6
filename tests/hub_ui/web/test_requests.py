"""Requests before they reach a route, and calls of the named endpoints: how many wait, each answered once."""

import asyncio
import json
import socket
from dataclasses import replace
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub_ui.access.quotas import Limits
from hub_ui.access.visitor import Visitor as Person
from hub_ui.access.visitor import use_visitor
from hub_ui.settings import hosted_policy
from hub_ui.web import requests as web_requests
from hub_ui.web.requests import KEPT_SECONDS, Calls, Refused, RequestCheck
from tests.clock import Clock
from tests.hub_ui.web.raw import Visitor

LIMITS = replace(hosted_policy(Limits()).limits, events=2, address_events=3)


@pytest.mark.parametrize(
    "route",
    [
        "deep_link?session_hash=x", "proxy=http://127.0.0.1:9/", "file=http://127.0.0.1:9/x", "mcp/messages",
        "file=https%3A//127.0.0.1/x", "heartbeat/x", "mcp/", "run-history/records",
    ],
)  # fmt: skip
def test_nothing_is_fetched_or_kept_for_whoever_asks(local: Visitor, route: str) -> None:
    answer = local.get(f"gradio_api/{route}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such page."})


def test_a_question_for_the_head_of_a_page_is_answered_by_the_page(local: Visitor) -> None:
    answer = local.request("HEAD", "")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")


@pytest.mark.parametrize("path", ["/etc/hostname", "/proc/self/environ", "~/.netrc", "%2e%2e/%2e%2e/etc/hostname"])
def test_no_other_file_is_served(local: Visitor, path: str) -> None:
    assert local.get(f"gradio_api/file={path}").status_code == 403


@pytest.mark.parametrize("route", ["gradio_api/queue/join", "gradio_api/cancel", "lora/favorite"])
def test_a_request_that_is_too_long_is_refused_with_a_sentence(hosted: Visitor, route: str) -> None:
    answer = hosted.post(route, data=b"x" * 1_100_000)
    assert (answer.status_code, answer.json()["detail"].split(".")[0]) == (413, "This is too much for one request")


@pytest.mark.parametrize("route", ["gradio_api/queue/join", "gradio_api/call/search", "lora/favorite"])
def test_a_body_that_stops_is_not_waited_for(hosted: Visitor, route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_requests, "BODY_SECONDS", 0.3)
    place = urlsplit(hosted.url)
    lines = [f"POST /{route} HTTP/1.1", f"Host: {place.netloc}", "Content-Length: 100", "", '{"data":']
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, "stopped arriving" in answer.read().decode()) == (408, True)


def test_what_is_no_request_goes_through_as_it_is() -> None:
    seen = list[Any]()

    async def app(*asked: Any) -> None:
        seen.append(asked)

    start, receive, send = {"type": "lifespan"}, object(), object()
    check = RequestCheck(app, (), LIMITS)
    asyncio.run(check(start, receive, send))  # type: ignore[arg-type]
    assert seen == [(start, receive, send)]


ADA, BEN, EVE = (Person(id=name, address="8.8.8.8") for name in ("ada", "ben", "eve"))
TOO_MUCH = "This page has asked for too much at once. Wait for its answers, then try again."


def begin(calls: Calls, visitor: Person) -> str:
    """What is said of one more."""
    with use_visitor(visitor):
        try:
            calls.begin("a session")
        except Refused as refused:
            return refused.message
    return ""


def test_who_has_calls_without_an_answer_waits_and_so_does_their_address() -> None:
    calls = Calls(LIMITS)
    said = [begin(calls, visitor) for visitor in (ADA, ADA, ADA, BEN, BEN, EVE, Person(id="dan", address="9.9.9.9"))]
    assert said == ["", "", TOO_MUCH, "", TOO_MUCH, TOO_MUCH, ""]


def test_an_answer_that_is_read_and_one_that_is_old_count_no_more() -> None:
    clock = Clock()
    calls = Calls(LIMITS, clock)
    assert [begin(calls, ADA) for _ in range(3)] == ["", "", TOO_MUCH]
    calls.end(calls.of_session("a session")[0])
    assert [begin(calls, ADA) for _ in range(2)] == ["", TOO_MUCH]
    clock.now = KEPT_SECONDS + 1
    assert begin(calls, ADA) == ""


def test_a_session_is_read_while_somebody_reads_it() -> None:
    calls = Calls(LIMITS)
    with calls.reading("one"), calls.reading("one"):
        assert (calls.is_read("one"), calls.is_read("other"), calls.are_read()) == (True, False, True)
    assert (calls.is_read("one"), calls.are_read()) == (False, False)


def test_a_program_that_reads_none_of_its_answers_is_stopped_and_one_that_does_goes_on(hosted: Visitor) -> None:
    visitor = hosted.with_cookie()
    codes = [visitor.begin("search", offline=True).status_code for _ in range(101)]
    assert (codes[:100], codes[100]) == ([200] * 100, 429)
    assert hosted.with_cookie().begin("search", offline=True).status_code == 200
    visitor = hosted.with_cookie()
    assert {visitor.call("search", offline=True).status for _ in range(110)} == {200}


def test_an_answer_is_given_once(hosted: Visitor) -> None:
    id_ = hosted.begin("search", offline=True).json()["event_id"]
    assert hosted.read("search", id_).status == 200
    for path in ("call", "call/v2"):
        answer = hosted.get(f"gradio_api/{path}/search/{id_}")
        assert (answer.status_code, "Call it again." in answer.json()["detail"]) == (404, True)


def join(hosted: Visitor, session: str, number: int = 0, data: Any = ("ink",)) -> Any:
    values = ["", None, None, None, "relevance", "soft", 1, True, 0]
    body = {"session_hash": session, "fn_index": number, "data": [*data, *values[len(data) :]]}
    return hosted.post("gradio_api/queue/join", json=body)


def test_a_session_has_the_answers_of_all_its_calls(hosted: Visitor) -> None:
    ids = {join(hosted, "two").json()["event_id"] for _ in range(2)}
    with hosted.get("gradio_api/queue/data?session_hash=two", stream=True) as stream:
        messages = [json.loads(line.removeprefix(b"data: ")) for line in stream.iter_lines() if line]
    assert {each["event_id"] for each in messages if each["msg"] == "process_completed"} == ids
    assert hosted.get("gradio_api/queue/data?session_hash=two").status_code == 404


def test_who_leaves_a_stream_is_answered_no_more(hosted: Visitor) -> None:
    join(hosted, "left")
    with hosted.get("gradio_api/queue/data?session_hash=left", stream=True) as stream:
        assert stream.status_code == 200
    while (answer := hosted.get("gradio_api/queue/data?session_hash=left", stream=True)).status_code == 200:
        answer.close()
    assert answer.json()["detail"] == "No call of this session waits for its answer. Call it again."


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"data": ' + b"[" * 100_000, b"\xff"])
def test_a_request_that_can_not_be_read_is_refused(hosted: Visitor, body: bytes) -> None:
    json_type = replace(hosted, headers={"Content-Type": "application/json"})
    answer = json_type.post("gradio_api/queue/join", data=body)
    assert (answer.status_code, "is no JSON" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("body", [[], 5, {}, {"fn_index": 99}, {"fn_index": -1}, {"fn_index": True}])
def test_a_request_for_no_endpoint_is_refused(hosted: Visitor, body: Any) -> None:
    answer = hosted.post("gradio_api/queue/join", json=body)
    assert (answer.status_code, "There are: search, show, inspect, try, compare." in answer.json()["detail"]) == (
        404,
        True,
    )


@pytest.mark.parametrize("file", [{"path": "/dev/ptmx"}, {"path": "/etc/hostname", "meta": {}}, {"url": "http://x"}])
def test_no_call_takes_a_file(hosted: Visitor, file: dict[str, Any]) -> None:
    answer = join(hosted, "file", data=[["ink", [file]]])
    assert (answer.status_code, answer.json()["detail"]) == (422, "An endpoint takes texts and numbers, and no files.")
