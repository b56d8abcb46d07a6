"""The cookie of a hosted page's visitors."""

import time
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.hosting.address import read_address
from hub_ui.hosting.cookie import cookie_of, read_visitor
from hub_ui.hosting.visitor import Visitors, use_visitor


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
        peer = (scope.get("client") or ("",))[0]
        address = read_address(headers, peer, trusts_proxy=self.visitors.trusts_proxy)
        visitor = self.visitors.get(cookie, address)
        # Gradio's own session, where people can sign in to Hugging Face. Its middleware is around this one.
        visitor.sign_in(scope.get("session") or {}, time.time())

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie_of(visitor.id, headers, scope["scheme"]))
            await send(message)

        is_page = scope["method"] == "GET" and scope["path"] == "/"
        with use_visitor(visitor):
            await self.app(scope, receive, reply if is_page and visitor.id != cookie else send)
