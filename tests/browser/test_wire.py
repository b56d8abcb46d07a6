"""tests/browser/wire.py keeps all that somebody is told, also while it is still being told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import requests

from tests.browser.leaks import Scan, Secret
from tests.browser.two_people import leaks_of_answers
from tests.browser.wire import recorded
from tests.hub_ui.web.raw import Visitor, served

SCAN = Scan(secrets=[Secret(text="brasswick", what="words of Ben", of="Ben")])


def test_an_event_stream_is_looked_at_like_every_answer(tmp_path: Path) -> None:
    with served(tmp_path, hosted=True) as page, recorded(page.url) as (url, wire):
        ben = Visitor(url=url, services=page.services)
        assert any("brasswick" in message for message in ben.stream("ask?q=brasswick"))
        ben.call("show", ref="brasswick:x")
        assert wire.answers[0].request.partition("?")[0] == "GET /ask"
        found = [str(finding) for finding in leaks_of_answers(SCAN, "Ada", wire)]
        assert any(each.startswith("words of Ben in GET /ask to Ada: ") for each in found)
        assert any(each.startswith("words of Ben in GET /gradio_api/call/show/") for each in found)
        assert list(leaks_of_answers(SCAN, "Ben", wire)) == []


def serve_one_request_each(listening: socket.socket) -> None:
    """A connection that is used again ends without an answer, as one does that was idle for too long."""
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                connection.recv(65_536)


def test_a_connection_that_the_page_ends_costs_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve_one_request_each, args=(listening,), daemon=True).start()
        with recorded(f"http://127.0.0.1:{listening.getsockname()[1]}") as (url, _):
            assert [requests.get(url, timeout=30).status_code for _ in range(2)] == [200, 200]
        # A listening socket that is only closed goes on waiting in accept.
        listening.shutdown(socket.SHUT_RDWR)
