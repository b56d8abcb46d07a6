"""The cookie of a hosted page's visitors."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.hosting.visitor import Visitors, use_visitor

COOKIE = "hub-ui-visitor"


def read_visitor(headers: Mapping[str, str]) -> str:
    """The cookie's value, empty if there is none."""
    return cookie_parser(headers.get("cookie") or "").get(COOKIE, "")


@dataclass(frozen=True)
class VisitorCookie:
    """ASGI middleware: each request is its visitor's, and the page itself brings a new one their cookie."""

    app: ASGIApp
    visitors: Visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookie = read_visitor(headers)
        visitor = self.visitors.get(cookie)

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie_of(visitor.id, headers, scope["scheme"]))
            await send(message)

        is_page = scope["method"] == "GET" and scope["path"] == "/"
        with use_visitor(visitor):
            await self.app(scope, receive, reply if is_page and visitor.id != cookie else send)


def cookie_of(value: str, headers: Headers, scheme: str) -> str:
    """Spaces show the page within a page of huggingface.co, where browsers send other cookies only if they say so."""
    is_secure = headers.get("x-forwarded-proto", scheme) == "https"
    return f"{COOKIE}={value}; Path=/; HttpOnly; " + (
        "SameSite=None; Secure; Partitioned" if is_secure else "SameSite=Lax"
    )
