"""Requests before they reach a route: closed routes, files of this computer, bodies without end, images as bombs."""

import asyncio
import socket
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub_ui.hosting.limits import Limits
from hub_ui.settings import hosted_policy
from hub_ui.web import requests as web_requests
from hub_ui.web.requests import RequestCheck
from tests.hub_ui.web.raw import Visitor

WEB_LIMITS = hosted_policy(Limits()).limits


@pytest.mark.parametrize(
    "route",
    [
        "gradio_api/run/predict", "gradio_api/api/predict", "gradio_api/component_server", "gradio_api/upload",
        "gradio_api/process_recording", "gradio_api/stream/x", "gradio_api/vibe-edit", "login",
        "gradio_api/run-history/connect", "gradio_api/mcp",
    ],
)  # fmt: skip
def test_routes_that_nothing_uses_are_closed(local: Visitor, route: str) -> None:
    assert local.post(route, json={}).status_code == 404


@pytest.mark.parametrize(
    "route",
    [
        "gradio_api/deep_link?session_hash=x", "gradio_api/proxy=http://127.0.0.1:9/", "monitoring/summary",
        "gradio_api/file=http://127.0.0.1:9/x", "gradio_api/file=https%3A//127.0.0.1/x", "static/js/x.js",
        "gradio_api/run-history/records", "gradio_api/heartbeat/x", "manifest.json", "assets/x.js",
    ],
)  # fmt: skip
def test_nothing_is_fetched_or_kept_for_whoever_asks(local: Visitor, route: str) -> None:
    answer = local.get(route)
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
def test_a_body_that_stops_arriving_is_not_waited_for(
    hosted: Visitor, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    check = RequestCheck(app, (), WEB_LIMITS)
    asyncio.run(check(start, receive, send))  # type: ignore[arg-type]
    assert seen == [(start, receive, send)]
