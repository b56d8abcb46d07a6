"""A hub on loopback that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.http.session import Endpoint
from connectors.ref import HubName


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    method: str
    path: str
    params: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


Reply = Answer | Callable[[Asked], Answer]


def said(data: object, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; `Retry_After="3"` is the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body=json.dumps(data).encode(), headers={"Content-Type": "application/json", **named})


class Hub:
    """`answers` are by path; whatever is not in it answers 404."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Reply] = {}
        self.asked: list[Asked] = []

    def endpoint(self, hub: HubName, token: str | None = None) -> Endpoint:
        return Endpoint(hub=hub, label=hub.title(), url=self.url, keys={hub: token} if token else {})

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        known = self.answers.get(asked.path, said({"error": "Not here"}, 404))
        return known(asked) if callable(known) else known


@contextmanager
def hub(host: str = "127.0.0.1") -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                method=self.command,
                path=place.path,
                params=parse_qs(place.query),
                headers={name.title(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            answer = answering.answer(asked)
            time.sleep(answer.after)
            self._send(answer)

        do_HEAD = do_QUERY = do_POST = do_GET  # noqa: N815

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that gave up waiting is what some tests are about."""

    with Server((host, 0), Handler) as server:
        answering = Hub(f"http://{host}:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield answering
        server.shutdown()
        thread.join()
