"""A hub's download address and its delivery host: two servers on loopback that answer as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`cut` ends the connection after that many bytes of the body."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: bool = True


@dataclass(frozen=True, kw_only=True)
class Seen:
    path: str
    headers: Mapping[str, str]


class Host:
    """One origin. `answers` holds what to say under a path: an Answer, or a function of the number of the request."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.answers: dict[str, Answer | Callable[[int], Answer]] = {}
        self.seen: list[Seen] = []

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        self.seen.append(Seen(path=path, headers=headers))
        known = self.answers.get(path.partition("?")[0], Answer(status=404))
        return known(len(self.seen)) if callable(known) else known


@contextmanager
def host() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = origin.answer(self.path, dict(self.headers))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.length:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.cut])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        origin = Host(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield origin
        finally:
            server.shutdown()
            thread.join()


def redirect(to: str) -> Answer:
    return Answer(status=307, headers={"Location": to})


def refused(status: int, text: str) -> Answer:
    return Answer(status=status, body=text.encode(), headers={"Content-Type": "application/json"})
