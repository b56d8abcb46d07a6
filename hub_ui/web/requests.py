"""Requests before they reach a route: those that nothing uses are closed, and a body has a size and a deadline.

Calls of the named endpoints: how many of whom wait for their answers, and that each answer is given once. A call goes
into Gradio's queue, and its answer comes in a stream of its own. Both requests pass here, so that all that has to be
known of the queue is what its clients are told.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import anyio
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.errors import HubUiError, UsageError
from hub_ui.access.visitor import current_visitor
from hub_ui.base.i18n import N_, _
from hub_ui.settings import WebLimits

# For all of a body that is no upload.
BODY_SECONDS = 60.0
# Their bodies are files (uploads.py, train/, library/), which have limits of their own.
UPLOAD_ROUTES = ("/upload", "/train/price", "/library-file")
TOO_LARGE = N_("This is too much for one request. Shorten it, or choose a smaller file.")
# Of Gradio's own routes, what clients of the named endpoints use, its server's start, and signing in.
_CALL = r"/gradio_api/call/(?:(v2)/)?([a-z]+)"
GRADIO_ROUTES = {
    "GET": (
        "/config", "/gradio_api/info", "/gradio_api/startup-events", "/gradio_api/queue/data", f"{_CALL}/[^/]+",
        r"/gradio_api/file=(?!\s*[A-Za-z][A-Za-z0-9+.-]+:).+", "/login/huggingface", "/login/callback", "/logout",
    ),
    "POST": ("/gradio_api/queue/join", _CALL, "/gradio_api/cancel", "/gradio_api/reset"),
}  # fmt: skip
AGENTS_ROUTES = {"GET": ("/gradio_api/mcp", "/gradio_api/mcp/schema"), "POST": ("/gradio_api/mcp",)}


class Refused(HubUiError):
    """A request that is not answered, and the status that says so."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def count(under_way: Counter[str], key: str) -> Iterator[None]:
    """One more of `key` within. Keys with none are not kept: there may be any number of them."""
    under_way[key] += 1
    try:
        yield
    finally:
        under_way[key] -= 1
        if not under_way[key]:
            del under_way[key]


@dataclass(frozen=True)
class RequestMiddleware:
    """ASGI middleware for requests alone. What else a server says to its app goes through as it is."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.answer if scope["type"] == "http" else self.app)(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


def own_parts(routes: Iterable[BaseRoute]) -> frozenset[str]:
    return frozenset(first_part(str(getattr(route, "path", "/"))) for route in routes)


def first_part(path: str) -> str:
    return path.split("/")[1] if path.startswith("/") else path


@dataclass(frozen=True)
class RequestCheck(RequestMiddleware):
    """In front of all routes, ours and Gradio's. `own` are the first parts of our routes' paths. `agents`: whether MCP
    is on.
    """

    own: Collection[str]
    limits: WebLimits
    agents: bool = False

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The server leaves the body away. Gradio has a HEAD of its own.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = path_of(scope)
        if not self.is_open(method, path):
            raise Refused(_("There is no such page."), 404)
        if method != "GET" and path not in UPLOAD_ROUTES:
            receive = await whole_body(receive, self.limits.body_bytes)
        await self.app({**scope, "method": method}, receive, send)

    def is_open(self, method: str, path: str) -> bool:
        if first_part(path) in self.own:
            return True
        tables = [GRADIO_ROUTES, AGENTS_ROUTES] if self.agents else [GRADIO_ROUTES]
        return any(re.fullmatch(pattern, path) for table in tables for pattern in table.get(method, ()))


def path_of(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(scope.get("root_path", "")).rstrip("/") or "/"


async def whole_body(receive: Receive, most: int) -> Receive:
    """A `receive` that has all of the body. Raises Refused for more than `most` bytes, and for what stops arriving."""
    try:
        with anyio.fail_after(BODY_SECONDS):
            data = await read_body(receive, most)
    except TimeoutError as error:
        raise Refused(_("The request stopped arriving. Try it again."), 408) from error
    return replay(data, receive)


async def read_body(receive: Receive, most: int) -> bytes:
    data, more = bytearray(), True
    while more:
        message = await receive()
        data += message.get("body", b"")
        more = message.get("more_body", False)
        if len(data) > most:
            raise Refused(_(TOO_LARGE), 413)
    return bytes(data)


def replay(data: bytes, receive: Receive) -> Receive:
    """`data` as one message, then what `receive` has."""
    messages = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def answer() -> Message:
        return next(messages, None) or await receive()

    return answer


# An answer that nobody has read counts for so long.
KEPT_SECONDS = 3_600.0
_ANSWER = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)")
_JOIN, _DATA, _FILE = "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/file="
_DONE = re.compile(rb'"msg":"process_completed"')
# The endpoints that make images.
GENERATING = ("try", "compare")
_ID = re.compile(rb'"event_id":"([0-9a-f]{32})"')


@dataclass(kw_only=True, eq=False)
class Call:
    """`session` reads its answer; where it names none, that is the call's own id."""

    session: str
    person: str
    address: str
    began: float
    id: str = ""


class Calls:
    """Those whose answers were not read yet. Only the server's own thread changes them; any may ask what is read."""

    def __init__(self, limits: WebLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._calls: list[Call] = []
        self._reads = Counter[str]()

    def begin(self, session: str) -> Call:
        """Raises Refused where who asks, or their address, has too many."""
        now = self._clock()
        self._calls = [call for call in self._calls if now - call.began < KEPT_SECONDS]
        visitor = current_visitor()
        person, address = (visitor.person, visitor.address) if visitor else ("", "")
        own = sum(call.person == person for call in self._calls)
        near = sum(call.address == address for call in self._calls) if address else 0
        if own >= self._limits.events or near >= self._limits.address_events:
            raise Refused(_("This page has asked for too much at once. Wait for its answers, then try again."), 429)
        call = Call(session=session, person=person, address=address, began=now)
        self._calls.append(call)
        return call

    def end(self, call: Call | None) -> None:
        self._calls = [other for other in self._calls if other is not call]

    def find(self, id_: str) -> Call | None:
        return next((call for call in self._calls if call.id == id_), None)

    def of_session(self, session: str) -> Sequence[Call]:
        return [call for call in self._calls if session and session in (call.session, call.id)]

    def reading(self, session: str) -> AbstractContextManager[None]:
        return count(self._reads, session)

    def is_read(self, session: str) -> bool:
        """Whether somebody reads its answers just now."""
        return session in self._reads

    def are_read(self) -> bool:
        """Whether any answers are read just now."""
        return bool(self._reads)


@dataclass(frozen=True)
class CallCheck(RequestMiddleware):
    """In front of Gradio's queue. `endpoints` are the named ones, in Gradio's own order.

    `read_call(name, body, by_name)` checks a call's arguments; `check_room` raises where no more images may be made.
    """

    calls: Calls
    endpoints: Sequence[str]
    read_call: Callable[[str, Any, bool], Any]
    check_room: Callable[[], None] = field(default=lambda: None)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        if scope["method"] == "POST" and (path == _JOIN or re.fullmatch(_CALL, path)):
            await self._call(path, scope, receive, send)
        elif session := self._session(path, scope):
            await self._answer(session, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _call(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        data = await read_body(receive, 2**62)
        name, body = self._read(path, Headers(scope=scope), data)
        if name in GENERATING:
            try:
                await anyio.to_thread.run_sync(self.check_room)
            except HubUiError as error:
                raise Refused(error.message, 429) from error
        call, came = self.calls.begin(str(body.get("session_hash") or "")), bytearray()

        async def reply(message: Message) -> None:
            came.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                found = _ID.search(bytes(came))
                call.id = found[1].decode() if found else ""
            await send(message)

        try:
            await self.app(scope, replay(json.dumps(body).encode(), receive), reply)
        finally:
            if not call.id:
                self.calls.end(call)

    def _read(self, path: str, headers: Headers, data: bytes) -> tuple[str, dict[str, Any]]:
        """The endpoint's name and the body of its request. Raises Refused with a sentence for programs, in English."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not (kind.startswith("application/") and kind.endswith("json")):
            raise Refused("An endpoint takes JSON. Send it with the header Content-Type: application/json.", 415)
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Refused(f"The body of the request is no JSON ({error}). Send a JSON object.") from error
        call = re.fullmatch(_CALL, path)
        name = call[2] if call else self._name(body)
        if name not in self.endpoints:
            raise Refused(f"There is no endpoint “{name}”. There are: {', '.join(self.endpoints)}.", 404)
        if call is None:
            # The function itself checks what comes from Gradio's clients, whose users see no other answer.
            if any(isinstance(value, dict) for value in flat(body.get("data"))):
                raise Refused("An endpoint takes texts and numbers, and no files.", 422)
            return name, body
        try:
            return name, self.read_call(name, body, bool(call[1]))
        except UsageError as error:
            raise Refused(error.message, 422) from error

    def _name(self, body: Any) -> str:
        """By the number of the endpoint among Gradio's functions."""
        number = body.get("fn_index") if isinstance(body, dict) else None
        return self.endpoints[number] if type(number) is int and 0 <= number < len(self.endpoints) else str(number)[:40]

    def _session(self, path: str, scope: Scope) -> str:
        """Whose answers a request reads; empty for one that reads none."""
        if path.startswith(_FILE) and "," in Headers(scope=scope).get("range", ""):
            raise Refused("Ask for one range of bytes at a time.", 416)
        answer = _ANSWER.fullmatch(path)
        if answer is not None:
            call = self.calls.find(answer[1])
            if call is None:
                raise Refused("No call with this id waits for its answer, which is given once. Call it again.", 404)
            return call.session or call.id
        if path != _DATA:
            return ""
        query = parse_qs(bytes(scope.get("query_string", b"")).decode("latin-1"))
        session = query.get("session_hash", [""])[0]
        if not self.calls.of_session(session):
            raise Refused("No call of this session waits for its answer. Call it again.", 404)
        return session

    async def _answer(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        is_whole = False

        async def reply(message: Message) -> None:
            nonlocal is_whole
            body = message.get("body", b"")
            if _DONE.search(body):
                for id_ in _ID.findall(body):
                    self.calls.end(self.calls.find(id_.decode()))
            is_whole = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        with self.calls.reading(session):
            try:
                await self.app(scope, receive, reply)
            finally:
                # Gradio forgets the calls of a session whose stream was left. A call's own stream has no more.
                if not is_whole or path_of(scope) != _DATA:
                    for call in self.calls.of_session(session):
                        self.calls.end(call)


def flat(value: Any) -> list[Any]:
    return [inner for item in value for inner in flat(item)] if isinstance(value, list) else [value]
