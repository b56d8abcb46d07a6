"""Middleware of a page: host names, languages, queue polling, event streams, and sessions.

Other web sites must not reach the page through the browser, by DNS rebinding or from their own pages (Origin and
Sec-Fetch-Site).
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import gradio as gr
from gradio.queueing import Queue
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import use_language
from hub_ui.locales import get_language
from hub_ui.policy import WebLimits
from hub_ui.web.refused import Refused
from hub_ui.web.requests import PendingRequests, RequestCheck, RequestRules, path_of
from hub_ui.web.sessions import OpenStreams, Sessions
from hub_ui.web.uploads import Uploads
from hub_ui.widgets.blocks import read_language

VARIABLE = "HUB_UI_ALLOWED_HOSTS"
_PORTS = {"http": 80, "https": 443}
# By Sec-Fetch-Site. Another port of this computer is the same site to a browser; older ones don't say.
_OTHER_SITES, _OWN_SITE = ("cross-site", "same-site"), ("same-origin", "none")
# What other sites may lead to; the last is where Hugging Face brings back who has signed in.
_PAGES = ("/", "/glossary", "/login/callback")
_ANSWER = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)")
# Including open pages: those unused for longest go first.
MOST = 1000
# Seconds between two polls. Gradio's default (6.31) applies while the page is in use.
IN_USE_SECONDS = 0.001
IDLE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class AllowedHosts:
    """`names` are set by the owner, `own` are this computer's. IP addresses always pass: no other site has ours as
    host. `every`: so do all names, as of a page for everybody.
    """

    names: frozenset[str] = frozenset()
    own: frozenset[str] = field(default_factory=lambda: own_names())
    every: bool = False

    def check(self, headers: Headers) -> None:
        """Raises Refused for a foreign host name, and for requests from other web sites' pages."""
        name, port = host_of(f"//{headers.get('host', '')}")
        if not self.every and name not in self.names and name not in self.own and not is_ip_address(name):
            raise Refused(
                f"hub-ui does not answer to the name “{name[:100]}”. If that is a name of this computer, start hub-ui "
                f"with {VARIABLE}={name[:100]} in its environment.",
                403,
            )
        origin = headers.get("origin")
        # What browsers say themselves holds behind a proxy that changes the Host too.
        if origin is None or headers.get("sec-fetch-site") in _OWN_SITE:
            return
        scheme, _, rest = origin.partition("://")
        asking, asking_port = host_of(f"//{rest}")
        usual = _PORTS.get(scheme)
        is_same = asking == name and (asking_port or usual) == (port or usual)
        # A proxy may have changed the Host, so the owner's names are allowed too.
        if usual is None or not (asking in self.names or is_same):
            raise Refused(
                f"Another web page ({origin[:100]}) asked for this, and hub-ui answers its own page only. If that "
                f"page is a name of this computer, add the name to {VARIABLE}.",
                403,
            )


@dataclass(frozen=True)
class HostCheck:
    """ASGI middleware that checks every route, including Gradio's. Programs send neither Origin nor Sec-Fetch-Site.

    `frames`: whether links of other sites may open the page in a frame of theirs too.
    """

    app: ASGIApp
    hosts: AllowedHosts
    frames: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            try:
                self.hosts.check(headers)
                if headers.get("sec-fetch-site") in _OTHER_SITES and not self.is_visit(scope, headers):
                    raise Refused("Another web page asked for this, and hub-ui answers its own page only.", 403)
            except Refused as refused:
                await refused.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def is_visit(self, scope: Scope, headers: Headers) -> bool:
        """Whether a person follows a link to a page, as other sites may have one, or comes back from signing in."""
        places = ("document", "frame", "iframe") if self.frames else ("document",)
        goes = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") in places
        return goes and scope["method"] == "GET" and path_of(scope) in _PAGES


def own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, f"{name.split('.')[0]}.local"})


def host_of(address: str) -> tuple[str, int | None]:
    """Name and port of an address; the name is empty for an invalid one."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@dataclass
class QueuePolling:
    """ASGI middleware that polls often for `in_use` seconds after each request, and seldom otherwise."""

    app: ASGIApp
    queue: Queue
    in_use: float = 30.0
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._rest()
        # For gr.Progress, which no page uses.
        self.queue.progress_update_sleep_when_free = 1.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._timer is not None:
                self._timer.cancel()
            self.queue.sleep_when_free = IN_USE_SECONDS
            self._timer = asyncio.get_running_loop().call_later(self.in_use, self._rest)
        await self.app(scope, receive, send)

    def _rest(self) -> None:
        self.queue.sleep_when_free = IDLE_SECONDS


@dataclass(frozen=True)
class EventStream:
    """ASGI middleware: a stream of a session that is gone has an end.

    Gradio (6.31) writes into the stream that the session is gone, then raises an error: a traceback in the log, and a
    broken answer for the browser. It forgets a session when its page is left, and a page may still ask for it then.
    `streams` hears of each while it is read.
    """

    app: ASGIApp
    streams: OpenStreams
    queue: Queue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def reply(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        session = self.session_of(scope) if scope["type"] == "http" else ""
        try:
            with self.streams.reading(session) if session else nullcontext():
                await self.app(scope, receive, reply)
        except (KeyError, RuntimeError) as error:
            # The session is missed before the stream waits, from which Starlette makes a RuntimeError, or after that.
            is_missed = isinstance(error, KeyError) or isinstance(error.__cause__, HTTPException)
            if not (is_missed and has_begun and scope["path"] == "/gradio_api/queue/data"):
                raise
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def session_of(self, scope: Scope) -> str:
        """Whose answers a request reads; empty for one that reads none. A call of its own is a session of its id."""
        path = path_of(scope)
        if path == "/gradio_api/queue/data":
            query = parse_qs(bytes(scope.get("query_string", b"")).decode("latin-1"))
            return query.get("session_hash", [""])[0]
        call = _ANSWER.fullmatch(path)
        if call is None:
            return ""
        event = self.queue.event_ids_to_events.get(call[1])
        return call[1] if event is None else str(event.session_hash)


@dataclass(frozen=True)
class RequestLanguage:
    """ASGI middleware: the page itself, and what else is answered at once, in the language of the request."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        code = read_language(Headers(scope=scope)).code
        with use_language(get_language(code)):
            await self.app(scope, receive, send)


class Running(Protocol):
    """The generations that are not done. `concurrency_id` is that of the events that start them."""

    concurrency_id: str

    def check_room(self) -> None:
        """Raises one of our errors where who asks just now may not start another."""


def count_pending(queue: Queue, session: str) -> PendingRequests:
    """Gradio (6.31) has no public names for unanswered requests. Those of a session are there until they are read."""
    unread, visitor = len(queue.pending_event_ids_session.get(session, ())), current_visitor()
    if visitor is None:
        return PendingRequests(own=unread, address=0)
    states = [event.request.state for event in list(queue.event_ids_to_events.values())]
    asking = [asks for state in states if (asks := getattr(state, "visitor", None)) is not None]
    return PendingRequests(
        own=max(unread, sum(asks.person == visitor.person for asks in asking)),
        address=sum(asks.address == visitor.address for asks in asking) if visitor.address else 0,
    )


def middleware(
    app: gr.Blocks,
    *,
    limits: WebLimits,
    folder: Path,
    generations: Running,
    streams: OpenStreams,
    spend: Callable[[int], None],
    read_call: Callable[[str, Any, bool], Any],
    agents: bool = False,
) -> list[Middleware]:
    """`folder` is Gradio's upload folder, and `spend` counts the bytes of uploads.

    `read_call` is that of RequestRules. `agents`: whether MCP is on.
    """
    app.state_session_capacity = MOST

    def generates(number: int) -> bool:
        event = app.fns.get(number)
        return event is not None and event.concurrency_id == generations.concurrency_id

    rules = RequestRules(
        limits=limits,
        uploads=Uploads(folder, limits, spend),
        uploaded=lambda path: path in app.upload_file_set,
        pending=lambda session: count_pending(app._queue, session),
        generates=generates,
        check_room=generations.check_room,
        forget_sessions=Sessions(lambda: app.state_holder).sweep,
        endpoints={
            str(event.api_name): number for number, event in app.fns.items() if event.api_visibility == "public"
        },
        read_call=read_call,
        is_open=lambda id: any(id in events for events in [*app._queue.pending_event_ids_session.values()]),
        agents=agents,
    )
    return [
        Middleware(RequestLanguage),
        Middleware(RequestCheck, rules=rules),
        Middleware(QueuePolling, queue=app._queue),
        Middleware(EventStream, streams=streams, queue=app._queue),
    ]
