"""The visitors of a hosted page: the cookie that they are known by, and how many requests one address may have."""

import time
from collections import Counter
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from hub_ui.hosting.address import cookie_of, read_address, read_visitor
from hub_ui.hosting.visitor import Visitors, current_visitor, use_visitor
from hub_ui.i18n import _
from hub_ui.web.requests import Refused, RequestMiddleware
from hub_ui.web.view import OWN_ADDRESSES

# Where people arrive.
PAGES = ("/", *(f"/{name}" for name in OWN_ADDRESSES))
# Gradio's own.
SIGN_OUT_ROUTE = "/logout"


@dataclass(frozen=True)
class VisitorCookie(RequestMiddleware):
    """Each request is its visitor's, and a page, or what is sent from one, brings a new one their cookie."""

    visitors: Visitors

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        cookie = read_visitor(headers)
        peer = (scope.get("client") or ("",))[0]
        address = read_address(headers, peer, trusts_proxy=self.visitors.trusts_proxy)
        visitor = self.visitors.find(cookie, address, peer)
        # Gradio's own session, where people can sign in to Hugging Face. Its middleware is around this one.
        session = scope.get("session") or {}
        if scope["path"] == SIGN_OUT_ROUTE:
            self.visitors.sign_out(session)
        visitor.sign_in({} if self.visitors.is_signed_out(session) else session, time.time())

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie_of(visitor.id, headers, scope["scheme"]))
            await send(message)

        is_first = visitor.id != cookie and makes_known(scope["method"], scope["path"], headers)
        if is_first:
            self.visitors.keep(visitor)
        with use_visitor(visitor):
            await self.app(scope, receive, reply if is_first else send)


def makes_known(method: str, path: str, headers: Headers) -> bool:
    """Whether who has no cookie, or one of an hour ago, gets one: programs go without."""
    if method == "GET":
        return path in PAGES
    # Browsers alone send it. What is kept or made by a form would be nobody's otherwise.
    return method == "POST" and "origin" in headers and not path.startswith("/gradio_api/")


@dataclass(frozen=True)
class AddressCheck(RequestMiddleware):
    """At most so many requests of one network address are under way at a time, streams included.

    So a proxy's connections count for the visitors behind it. It stands after VisitorCookie.
    """

    most: int
    _open: Counter[str] = field(default_factory=Counter, init=False)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        visitor = current_visitor()
        address = visitor.address if visitor is not None else ""
        if address and self._open[address] >= self.most:
            raise Refused(_("Too many pages are open at your network address. Close some, then try again."), 429)
        self._open[address] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
