"""A hub or its delivery host on loopback: it answers as it is told, and remembers what it was asked."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, TCPServer, ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.http.session import Endpoint
from connectors.ref import HubName


@dataclass(frozen=True, kw_only=True)
class Answer:
    """It comes `after` so many seconds, and its body `late` by so many more.

    `cut` ends the connection after that many bytes of the body. With `stall` it stays open until that is set.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: bool = True
    after: float = 0.0
    late: float = 0.0
    cut: int | None = None
    stall: threading.Event | None = None


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


def redirect(to: str, **headers: str) -> Answer:
    return Answer(status=302, headers={"Location": to, **headers})


def in_turn(*answers: Answer) -> Callable[[Asked], Answer]:
    """One after the other; the last again and again."""
    left = iter(answers)
    return lambda _asked: next(left, answers[-1])


@dataclass(kw_only=True)
class Ranged:
    """A file with ranges and a tag. `cut` ends each answer after that many bytes, `cuts` times in all."""

    body: bytes
    etag: str | None = '"one"'
    cut: int | None = None
    cuts: int = 1_000

    def __call__(self, asked: Asked) -> Answer:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range", ""))
        tagged = {"ETag": self.etag} if self.etag else {}
        cut = self.cut if self.cuts > 0 else None
        self.cuts -= 1
        if wanted is None or asked.headers.get("If-Range") not in (None, self.etag):
            return Answer(body=self.body, headers=tagged, cut=cut)
        start, size = int(wanted[1]), len(self.body)
        if start >= size:
            return Answer(status=416, headers={"Content-Range": f"bytes */{size}"})
        stop = min(int(wanted[2]) + 1, size) if wanted[2] else size
        place = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        return Answer(body=self.body[start:stop], status=206, headers={**tagged, **place}, cut=cut)


class Hub:
    """`answers` are by path; whatever is not in it answers 404."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Reply] = {}
        self.asked: list[Asked] = []

    def endpoint(self, hub: HubName, token: str | None = None) -> Endpoint:
        return Endpoint(hub=hub, url=self.url, keys={hub: token} if token else {})

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
            length = {"Content-Length": str(len(answer.body))} if answer.length else {}
            for name, value in {**length, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            time.sleep(answer.late)
            if self.command != "HEAD":
                self.wfile.write(answer.body[: answer.cut])
            if answer.stall is not None:
                answer.stall.wait(30)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that gave up waiting is what some tests are about."""

    with serving(Server((host, 0), Handler)) as port:
        answering = Hub(f"http://{host}:{port}")
        yield answering


@contextmanager
def serving(server: TCPServer) -> Iterator[int]:
    """Its port, while it serves in a thread of its own."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@dataclass(kw_only=True)
class RawServer:
    url: str = ""
    sent: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def raw_server(pieces: Callable[[], Iterator[bytes]]) -> Iterator[RawServer]:
    """Every connection gets the request's head read, then `pieces`, byte for byte, until they end or nobody takes them.

    What was taken is counted.
    """
    told = RawServer()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.recv(65_536)
                for piece in pieces():
                    if told.ended.is_set():
                        return
                    self.request.sendall(piece)
                    told.sent += len(piece)

    with serving(ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        told.url = f"http://127.0.0.1:{port}"
        try:
            yield told
        finally:
            told.ended.set()
