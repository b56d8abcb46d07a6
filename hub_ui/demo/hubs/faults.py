"""Faults on request: what the real hubs do on a bad day, for whoever asks.

`POST /faults` on any origin takes one fault or a list, `GET` lists those still to come, `DELETE` takes them all back.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from threading import Lock
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.demo.hubs.answers import html_answer, json_answer
from hub_ui.demo.hubs.delivery import expired_answer

_HANG = 5.0
KINDS = ("latency", "status", "cut", "html", "ignore_range", "wrong_bytes", "expired")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`match` is searched in the path with its query. `times` counts the requests it hits; None is every one.

    A `body` replaces the error that the hub would send with a `status`.
    """

    kind: str
    match: str = ""
    hub: str | None = None
    seconds: float = 0.0
    status: int = 500
    body: Any = None
    retry_after: int | None = None
    after_bytes: int = 0
    times: int | None = None

    def __post_init__(self) -> None:
        re.compile(self.match)
        if self.kind not in KINDS:
            raise ValueError(f"a fault is one of {', '.join(KINDS)}, not {self.kind}")

    def hits(self, hub: str, path: str) -> bool:
        return self.hub in (None, hub) and re.search(self.match, path) is not None


@dataclass(kw_only=True)
class Faults:
    """The faults still to come. Safe to use from any thread."""

    _coming: list[Fault] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._coming.extend(faults)

    def clear(self) -> None:
        with self._lock:
            self._coming.clear()

    def coming(self) -> tuple[Fault, ...]:
        with self._lock:
            return tuple(self._coming)

    def take(self, hub: str, path: str) -> tuple[Fault, ...]:
        """The faults that hit this request, each used up once."""
        with self._lock:
            hits = tuple(fault for fault in self._coming if fault.hits(hub, path))
            self._coming[:] = [left for fault in self._coming if (left := _used(fault, fault in hits)) is not None]
        return hits

    def routes(self) -> list[BaseRoute]:
        return [Route("/faults", self._answer, methods=["GET", "POST", "DELETE"])]

    async def _answer(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.clear()
        if request.method == "POST":
            try:
                self.add(*_parsed(await request.body()))
            except (ValueError, TypeError, re.error) as error:
                return json_answer({"error": str(error)}, 400)
        return json_answer([asdict(fault) for fault in self.coming()])


def _used(fault: Fault, hit: bool) -> Fault | None:
    if not hit or fault.times is None:
        return fault
    return replace(fault, times=fault.times - 1) if fault.times > 1 else None


def _parsed(body: bytes) -> Iterable[Fault]:
    data: Any = json.loads(body)
    return [Fault(**item) for item in (data if isinstance(data, list) else [data])]


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """An origin with the faults of `faults` in front of it. `stopping` ends every wait, so that a stop is quick."""

    app: ASGIApp
    hub: str
    faults: Faults
    stopping: asyncio.Event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/faults":
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        for fault in self.faults.take(self.hub, scope["path"] + (f"?{query}" if query else "")):
            if fault.kind == "latency" and not await self._waited(fault.seconds, receive):
                return
            if (answer := _instead(fault, self.hub)) is not None:
                await answer(scope, receive, send)
                return
            scope, send = _altered(fault, scope, send)
        with suppress(ConnectionAbortedError, ClientDisconnect):
            await self.app(scope, receive, send)

    async def _waited(self, seconds: float, receive: Receive) -> bool:
        """Whether anyone is still there after the wait.

        Watching for a client that leaves takes the request's body from the application, so only a hang does it.
        """
        ends: list[asyncio.Task[Any]] = [asyncio.create_task(self.stopping.wait())]
        if seconds >= _HANG:
            ends.append(asyncio.create_task(_left(receive)))
        done, pending = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in pending:
            end.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return not done


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _instead(fault: Fault, hub: str) -> Response | None:
    """The answer a fault gives in place of the hub's own, if it does."""
    if fault.kind == "status":
        return json_answer(fault.body or _error_body(fault.status, hub), fault.status, _retry_headers(fault, hub))
    if fault.kind == "html":
        return html_answer("Just a moment...", "Checking your browser before you go on.")
    return expired_answer() if fault.kind == "expired" else None


def _error_body(status: int, hub: str) -> dict[str, Any]:
    if hub == "replicate" and status == 429:
        return {"detail": "Request was throttled. Your rate limit resets in ~30s."}
    if hub == "replicate":
        return {"detail": "An unexpected error occurred", "status": status}
    text = "We had to rate limit you." if status == 429 else "An unexpected error occurred"
    return {"error": text}


def _retry_headers(fault: Fault, hub: str) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    headers = {"Retry-After": str(fault.retry_after)}
    if hub == "huggingface":
        headers["RateLimit"] = f'"api";r=0;t={fault.retry_after}'
        headers["RateLimit-Policy"] = '"fixed window";"api";q=500;w=300'
    return headers


def _altered(fault: Fault, scope: Scope, send: Send) -> tuple[Scope, Send]:
    if fault.kind == "ignore_range":
        kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"range"]
        return {**scope, "headers": kept}, send
    if fault.kind == "cut":
        return scope, _Cut(send=send, left=fault.after_bytes)
    if fault.kind == "wrong_bytes":
        return scope, _WrongBytes(send=send)
    return scope, send


@dataclass(kw_only=True)
class _Cut:
    """Passes on `left` bytes of the body and then nothing: the server sees an unfinished answer and hangs up."""

    send: Send
    left: int

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or (len(body) <= self.left and message.get("more_body")):
            self.left -= len(body)
            await self.send(message)
        elif self.left >= 0:
            await self.send({"type": "http.response.body", "body": body[: self.left], "more_body": True})
            self.left = -1
        else:
            raise ConnectionAbortedError


@dataclass(kw_only=True)
class _WrongBytes:
    """Changes the last byte of each piece of the body: the length stays, the sha256 does not."""

    send: Send

    async def __call__(self, message: Message) -> None:
        if body := message.get("body", b""):
            message = {**message, "body": body[:-1] + bytes([body[-1] ^ 0xFF])}
        await self.send(message)
