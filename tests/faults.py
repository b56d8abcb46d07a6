"""Faults of the real hubs, for the local ones: `hubs.faults.add(Fault(kind="html"))`."""

import asyncio
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.demo.hubs.answers import html_answer, json_answer

_HANG = 5.0
_SECONDS_BETWEEN_LOOKS = 0.05
KINDS = ("latency", "slow", "status", "cut", "truncated", "html", "ignore_range", "wrong_bytes", "etag", "expired")
_EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
_OTHER_ETAG = b'"exchanged"'


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Of the requests whose path and query contain `match`, `skip` pass and the next `times` (None: all) fail.

    `body` replaces the hub's error. `truncated` cuts file and headers to `after_bytes`; `etag` changes only the ETag.
    """

    kind: str
    match: str = ""
    hub: str | None = None
    seconds: float = 0.0
    status: int = 500
    body: Any = None
    retry_after: int | None = None
    after_bytes: int = 0
    bytes_per_second: int = 1_000_000
    times: int | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        re.compile(self.match)
        if self.kind not in KINDS:
            raise ValueError(f"a fault is one of {', '.join(KINDS)}, not {self.kind}")

    def hits(self, hub: str, path: str) -> bool:
        return self.hub in (None, hub) and re.search(self.match, path) is not None


@dataclass(kw_only=True)
class Faults:
    """The pending faults. Thread-safe."""

    _coming: list[Fault] = field(default_factory=list)
    _clears: Counter[str | None] = field(default_factory=Counter)
    _stopped: bool = False
    _lock: Lock = field(default_factory=Lock)

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._coming.extend(faults)

    def clear(self, hub: str | None = None) -> None:
        """Removes the faults of this hub (None: all of them) and ends their latency."""
        with self._lock:
            self._coming[:] = [fault for fault in self._coming if hub not in (None, fault.hub)]
            self._clears[hub] += 1

    def stop(self) -> None:
        """Ends every latency without an answer."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        return self._stopped

    def clears(self, hub: str) -> int:
        """How often the faults of this hub have been removed."""
        with self._lock:
            return self._clears[hub] + self._clears[None]

    def coming(self) -> tuple[Fault, ...]:
        with self._lock:
            return tuple(self._coming)

    def take(self, hub: str, path: str) -> tuple[Fault, ...]:
        """The faults that apply to this request. Each one is counted as used."""
        with self._lock:
            matching = [fault for fault in self._coming if fault.hits(hub, path)]
            self._coming[:] = [left for fault in self._coming if (left := _used(fault, fault in matching)) is not None]
        return tuple(fault for fault in matching if fault.skip == 0)


def _used(fault: Fault, hit: bool) -> Fault | None:
    if hit and fault.skip:
        return replace(fault, skip=fault.skip - 1)
    if not hit or fault.times is None:
        return fault
    return replace(fault, times=fault.times - 1) if fault.times > 1 else None


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """Applies `faults` to the requests of an origin. Their removal ends every wait."""

    app: ASGIApp
    hub: str
    faults: Faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        query, clears = scope["query_string"].decode("latin-1"), self.faults.clears(self.hub)
        for fault in self.faults.take(self.hub, scope["path"] + (f"?{query}" if query else "")):
            if fault.kind == "latency" and not await self._wait(fault.seconds, clears, receive):
                return
            if (answer := _instead(fault, self.hub)) is not None:
                await answer(scope, receive, send)
                return
            scope, send = _alter(fault, scope, send)
        with suppress(ConnectionAbortedError, ClientDisconnect):
            await self.app(scope, receive, send)

    async def _wait(self, seconds: float, clears: int, receive: Receive) -> bool:
        """Whether somebody still waits. Only a hang checks, because the check consumes the request body."""

        async def disconnect() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def clear() -> None:
            while self.faults.clears(self.hub) == clears and not self.faults.stopped:
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

        cleared: asyncio.Task[Any] = asyncio.create_task(clear())
        ends = [cleared, *([asyncio.create_task(disconnect())] if seconds >= _HANG else [])]
        done, pending = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in pending:
            end.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return done <= {cleared} and not self.faults.stopped


def _instead(fault: Fault, hub: str) -> Response | None:
    """The response that replaces the hub's own, if any."""
    if fault.kind == "html":
        return html_answer("Just a moment...", "Checking your browser before you go on.")
    if fault.kind == "expired":
        return Response(_EXPIRED, 403, media_type="application/xml")
    if fault.kind != "status":
        return None
    headers = {}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
        if hub == "huggingface":
            headers["RateLimit"] = f'"api";r=0;t={fault.retry_after}'
            headers["RateLimit-Policy"] = '"fixed window";"api";q=500;w=300'
    return json_answer(fault.body or _error_body(fault.status, hub), fault.status, headers)


def _error_body(status: int, hub: str) -> dict[str, Any]:
    text = "An unexpected error occurred"
    return {"detail": text, "status": status} if hub == "replicate" else {"error": text}


def _alter(fault: Fault, scope: Scope, send: Send) -> tuple[Scope, Send]:
    headers = {name.lower(): value for name, value in scope["headers"]}
    if fault.kind == "ignore_range":
        return _without(scope, b"range"), send
    if fault.kind == "etag":
        # A range request with the old ETag gets the whole new file.
        is_other = headers.get(b"if-range", _OTHER_ETAG) != _OTHER_ETAG
        return _without(scope, b"if-range", *([b"range"] if is_other else [])), _exchange_etag(send)
    if fault.kind == "cut":
        return scope, _cut(send, fault.after_bytes)
    if fault.kind == "wrong_bytes":
        return scope, _change_bytes(send)
    if fault.kind == "slow":
        return scope, _slow_down(send, fault.bytes_per_second)
    return scope, _truncate(send, fault.after_bytes) if fault.kind == "truncated" else send


def _without(message: Any, *names: bytes) -> Any:
    """The scope or message without these headers."""
    return {**message, "headers": [(name, value) for name, value in message["headers"] if name.lower() not in names]}


def _cut(send: Send, left: int) -> Send:
    """Sends only `left` bytes of the body, so the server closes the unfinished response."""

    async def cut(message: Message) -> None:
        nonlocal left
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or (len(body) <= left and message.get("more_body")):
            left -= len(body)
            await send(message)
        elif left >= 0:
            await send({"type": "http.response.body", "body": body[:left], "more_body": True})
            left = -1
        else:
            raise ConnectionAbortedError

    return cut


def _change_bytes(send: Send) -> Send:
    """Changes the last byte of each chunk: same length, different sha256."""

    async def change(message: Message) -> None:
        if body := message.get("body", b""):
            message = {**message, "body": body[:-1] + bytes([body[-1] ^ 0xFF])}
        await send(message)

    return change


def _exchange_etag(send: Send) -> Send:
    async def exchange(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = _without(message, b"etag")
            message["headers"].append((b"etag", _OTHER_ETAG))
        await send(message)

    return exchange


def _slow_down(send: Send, rate: int) -> Send:
    """Limits the connection to `rate` bytes a second."""
    until = 0.0

    async def slow_down(message: Message) -> None:
        nonlocal until
        body = message.get("body", b"")
        # Ten chunks a second keep the stream steady.
        step = max(rate // 10, 1)
        for at in range(0, len(body) or 1, step):
            last = at + step >= len(body)
            piece = {**message, "body": body[at : at + step], "more_body": not last or message.get("more_body", False)}
            await send(piece if body else message)
            now = time.monotonic()
            until = max(until, now) + len(body[at : at + step]) / rate
            await asyncio.sleep(until - now)

    return slow_down


def _truncate(send: Send, size: int) -> Send:
    """Sends the first `size` bytes as if they were the whole file, with matching headers."""
    left = 0

    async def truncate(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            headers, status = {name.lower(): value for name, value in message["headers"]}, message["status"]
            start, stop = 0, int(headers.get(b"content-length", b"0"))
            if status == 206:
                start, last = (int(number) for number in re.findall(rb"[0-9]+", headers[b"content-range"])[:2])
                stop = last + 1
            left = max(min(stop, size) - start, 0)
            if status == 206 and left:
                headers[b"content-range"] = b"bytes %d-%d/%d" % (start, start + left - 1, size)
            elif status == 206:
                headers[b"content-range"], status = b"bytes */%d" % size, 416
            headers[b"content-length"] = b"%d" % left
            message = {**message, "status": status, "headers": list(headers.items())}
        elif body := message.get("body", b""):
            message = {**message, "body": body[:left]}
            left -= len(message["body"])
        await send(message)

    return truncate
