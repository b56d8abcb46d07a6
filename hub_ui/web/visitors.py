"""The visitors of a hosted page: the cookie that they are known by, and how many requests one address may have."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import Message, Receive, Scope, Send

from hub_ui.access.visitor import Visitors, current_visitor, use_visitor
from hub_ui.base.i18n import _
from hub_ui.web.requests import Refused, RequestMiddleware, count
from hub_ui.web.view import PATHS

# Where people arrive.
PAGES = tuple(f"/{path}" for path in PATHS)
# Gradio's own.
SIGN_OUT_ROUTE = "/logout"
COOKIE = "hub-ui-visitor"


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
        with count(self._open, address):
            await self.app(scope, receive, send)


def read_address(headers: Mapping[str, str], peer: str, *, trusts_proxy: bool) -> str:
    """The network address that a request is from, empty where nothing tells people apart.

    Each proxy adds at the end of X-Forwarded-For who asked it, and what stands before is whatever the sender wrote. So
    it is the last public address. Without a trusted proxy it is the peer's, unless that is private: then it is likely
    a proxy's, or a container's gateway, which everybody comes through.
    """
    if not trusts_proxy:
        found = _parse(peer)
        return _text(found) if found is not None and found.is_global else ""
    named = [address for text in headers.get("x-forwarded-for", "").split(",") if (address := _parse(text)) is not None]
    public = [address for address in named if address.is_global]
    return _text((public or named)[-1]) if named else ""


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Some proxies add a port."""
    text = text.strip()
    host = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _text(address: IPv4Address | IPv6Address) -> str:
    """Of IPv6, a person has a whole /64."""
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def read_visitor(headers: Mapping[str, str]) -> str:
    """The cookie's value, empty if there is none."""
    return cookie_parser(headers.get("cookie") or "").get(COOKIE, "")


def cookie_of(value: str, headers: Mapping[str, str], scheme: str, name: str = COOKIE) -> str:
    """Spaces show the page within a page of huggingface.co, where browsers send other cookies only if they say so."""
    # A proxy behind another adds its own after a comma.
    proto = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
    sites = "SameSite=None; Secure; Partitioned" if proto == "https" else "SameSite=Lax"
    return f"{name}={value}; Path=/; HttpOnly; {sites}"
