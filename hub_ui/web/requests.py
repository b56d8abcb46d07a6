"""Checks of requests before they reach a route: unused routes of Gradio are closed, and bodies have limits.

CallCheck limits the calls of the named endpoints per visitor. A call enters Gradio's queue with one request, and a
second request streams its result. CallCheck reads both, so it needs no access to the queue's internals.
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

# The time limit for a whole body, except uploads.
BODY_SECONDS = 60.0
# The bodies of these routes are files, and the routes check the size themselves (uploads.py, train/, library/).
UPLOAD_ROUTES = ("/upload", "/train/price", "/library-file")
TOO_LARGE = N_("This is too much for one request. Shorten it, or choose a smaller file.")
# The routes of Gradio that stay open: for clients of the named endpoints, for its server's start, and for signing in.
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
    """An error for a refused request, with the status of the response."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def count(under_way: Counter[str], key: str) -> Iterator[None]:
    """Count `key` within the block. Delete keys at 0, because their number has no limit."""
    under_way[key] += 1
    try:
        yield
    finally:
        under_way[key] -= 1
        if not under_way[key]:
            del under_way[key]


@dataclass(frozen=True)
class RequestMiddleware:
    """A base of ASGI middleware for HTTP. Other messages, such as lifespan, pass unchanged."""

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
    """A check before all routes, ours and Gradio's: whether the route is open, and the size of the body.

    `own` holds the first segments of our routes' paths. `agents` opens the routes of MCP.
    """

    own: Collection[str]
    limits: WebLimits
    agents: bool = False

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Route HEAD as GET: uvicorn drops the body, and Gradio's own HEAD route would match first.
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
    """Read the whole body, and return a `receive` that replays it.

    Raise Refused if the body has more than `most` bytes, or takes longer than BODY_SECONDS.
    """
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
    """Return a `receive` that yields `data` as one message, then the messages of the original."""
    messages = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def answer() -> Message:
        return next(messages, None) or await receive()

    return answer


# A call without a reader counts towards the limits for this long.
KEPT_SECONDS = 3_600.0
_ANSWER = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)")
_JOIN, _DATA, _FILE = "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/file="
_DONE = re.compile(rb'"msg":"process_completed"')
# The endpoints that generate images.
GENERATING = ("try", "compare")
_ID = re.compile(rb'"event_id":"([0-9a-f]{32})"')


@dataclass(kw_only=True, eq=False)
class Call:
    """A call of an endpoint. The client reads the result under `session`, or under `id` if `session` is empty."""

    session: str
    person: str
    address: str
    began: float
    id: str = ""


class Calls:
    """The calls with unread results. Only the event loop may change them; any thread may call is_read and are_read."""

    def __init__(self, limits: WebLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._calls: list[Call] = []
        self._reads = Counter[str]()

    def begin(self, session: str) -> Call:
        """Add a call. Raise Refused if the visitor or the visitor's address has too many."""
        now = self._clock()
        self._calls = [call for call in self._calls if now - call.began < KEPT_SECONDS]
        visitor = current_visitor()
        person, address = (visitor.person, visitor.address) if visitor else ("", "")
        by_person = sum(call.person == person for call in self._calls)
        at_address = sum(call.address == address for call in self._calls) if address else 0
        if by_person >= self._limits.events or at_address >= self._limits.address_events:
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
        """Return whether a client is reading the results of `session`."""
        return session in self._reads

    def are_read(self) -> bool:
        """Return whether any client is reading results."""
        return bool(self._reads)


@dataclass(frozen=True)
class CallCheck(RequestMiddleware):
    """A check before Gradio's queue. `endpoints` are the names of the endpoints, in the order of Gradio's functions.

    `read_call(name, body, by_name)` checks a call's arguments. `check_room` raises if the queue of images is full.
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
        call, response = self.calls.begin(str(body.get("session_hash") or "")), bytearray()

        async def reply(message: Message) -> None:
            response.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                match = _ID.search(bytes(response))
                call.id = match[1].decode() if match else ""
            await send(message)

        try:
            await self.app(scope, replay(json.dumps(body).encode(), receive), reply)
        finally:
            if not call.id:
                self.calls.end(call)

    def _read(self, path: str, headers: Headers, data: bytes) -> tuple[str, dict[str, Any]]:
        """Return the endpoint's name and the checked body. Raise Refused with an English message for programs."""
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
            # Check the types in the endpoint's function instead: Gradio's clients show only errors from there.
            if any(isinstance(value, dict) for value in flat(body.get("data"))):
                raise Refused("An endpoint takes texts and numbers, and no files.", 422)
            return name, body
        try:
            return name, self.read_call(name, body, bool(call[1]))
        except UsageError as error:
            raise Refused(error.message, 422) from error

    def _name(self, body: Any) -> str:
        """Return the name of the endpoint with the body's `fn_index`, its position among Gradio's functions."""
        number = body.get("fn_index") if isinstance(body, dict) else None
        return self.endpoints[number] if type(number) is int and 0 <= number < len(self.endpoints) else str(number)[:40]

    def _session(self, path: str, scope: Scope) -> str:
        """Return the session whose results the request reads, or "" if it reads no results."""
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
                # Gradio drops a session's calls if the client leaves its stream. The stream of a single call has ended.
                if not is_whole or path_of(scope) != _DATA:
                    for call in self.calls.of_session(session):
                        self.calls.end(call)


def flat(value: Any) -> list[Any]:
    return [inner for item in value for inner in flat(item)] if isinstance(value, list) else [value]
