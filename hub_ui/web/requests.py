"""Requests before they reach a route: those that nothing uses are closed, and a body has a size and a deadline."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import anyio
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.errors import HubUiError
from hub_ui.i18n import N_, _
from hub_ui.settings.policy import WebLimits

# For all of a body that is no upload.
BODY_SECONDS = 60.0
# Their bodies are files (uploads.py, train/, library/), which have limits of their own.
UPLOAD_ROUTES = ("/upload", "/train/price", "/library-file")
TOO_LARGE = N_("This is too much for one request. Shorten it, or choose a smaller file.")
# Of Gradio's own routes, what clients of the named endpoints use, its server's start, and signing in.
_CALL = r"/gradio_api/call/(v2/)?[a-z]+"
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


@dataclass(frozen=True)
class RequestMiddleware:
    """ASGI middleware for requests alone. What else a server says to its app goes through as it is."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.answer if scope["type"] == "http" else self.app)(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class OpenRoutes:
    """`own` are the first parts of our routes' paths. `agents`: whether MCP is on."""

    own: Collection[str]
    agents: bool = False

    def is_open(self, method: str, path: str) -> bool:
        if first_part(path) in self.own:
            return True
        tables = [GRADIO_ROUTES, AGENTS_ROUTES] if self.agents else [GRADIO_ROUTES]
        return any(re.fullmatch(pattern, path) for table in tables for pattern in table.get(method, ()))


def own_parts(routes: Iterable[BaseRoute]) -> frozenset[str]:
    return frozenset(first_part(str(getattr(route, "path", "/"))) for route in routes)


def first_part(path: str) -> str:
    return path.split("/")[1] if path.startswith("/") else path


@dataclass(frozen=True)
class RequestCheck(RequestMiddleware):
    """In front of all routes, ours and Gradio's."""

    routes: OpenRoutes
    limits: WebLimits

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The server leaves the body away. Gradio has a HEAD of its own.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = path_of(scope)
        if not self.routes.is_open(method, path):
            raise Refused(_("There is no such page."), 404)
        if method != "GET" and path not in UPLOAD_ROUTES:
            receive = await whole_body(receive, self.limits.body_bytes)
        await self.app({**scope, "method": method}, receive, send)


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
