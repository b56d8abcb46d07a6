"""A hub's download address and its delivery host: two servers on loopback that answer as they are told."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`cut` ends the connection after that many bytes of the body, which begins after `seconds`.

    With `stall` the connection stays open until that is set.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: bool = True
    seconds: float = 0.0
    stall: threading.Event | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    path: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Ranged:
    """A file with ranges and a tag. `cut` ends each answer after that many bytes, `cuts` times in all."""

    body: bytes
    etag: str | None = '"one"'
    cut: int | None = None
    cuts: int = 1_000

    def answer(self, headers: Mapping[str, str]) -> Answer:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("Range", ""))
        tagged = {"ETag": self.etag} if self.etag else {}
        cut = self.cut if self.cuts > 0 else None
        self.cuts -= 1
        if wanted is None or headers.get("If-Range") not in (None, self.etag):
            return Answer(body=self.body, headers=tagged, cut=cut)
        start, size = int(wanted[1]), len(self.body)
        if start >= size:
            return Answer(status=416, headers={"Content-Range": f"bytes */{size}"})
        stop = min(int(wanted[2]) + 1, size) if wanted[2] else size
        place = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        return Answer(body=self.body[start:stop], status=206, headers={**tagged, **place}, cut=cut)


class Host:
    """One origin. `answers` holds what to say under a path: an Answer, or a function of the number of the request."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.answers: dict[str, Answer | Ranged | Callable[[int], Answer]] = {}
        self.seen: list[Seen] = []

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        self.seen.append(Seen(path=path, headers=headers))
        known = self.answers.get(path.partition("?")[0], Answer(status=404))
        if isinstance(known, Ranged):
            return known.answer(headers)
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
            time.sleep(answer.seconds)
            # A client that has seen enough hangs up.
            with suppress(ConnectionError):
                self.wfile.write(answer.body[: answer.cut])
            if answer.stall is not None:
                answer.stall.wait(30)

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
