"""Middleware for the visitors of a hosted page: their cookie, and the limit of requests per network address."""

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

# The addresses of whole pages.
PAGES = tuple(f"/{path}" for path in PATHS)
# Gradio's route.
SIGN_OUT_ROUTE = "/logout"
COOKIE = "hub-ui-visitor"


@dataclass(frozen=True)
class VisitorCookie(RequestMiddleware):
    """The visitor of each request, identified by a cookie. A new visitor gets the cookie with a page or a form."""

    visitors: Visitors

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        cookie = read_visitor(headers)
        peer = (scope.get("client") or ("",))[0]
        address = read_address(headers, peer, trusts_proxy=self.visitors.trusts_proxy)
        visitor = self.visitors.find(cookie, address, peer)
        # Gradio's session holds the sign-in to Hugging Face. Its middleware runs before this one.
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
    """Return whether the response sets the cookie of a new visitor. Programs get no cookie."""
    if method == "GET":
        return path in PAGES
    # Only browsers send Origin. They need the cookie, because otherwise the results of a form would have no owner.
    return method == "POST" and "origin" in headers and not path.startswith("/gradio_api/")


@dataclass(frozen=True)
class AddressCheck(RequestMiddleware):
    """A limit of `most` concurrent requests per network address, streams included. It runs after VisitorCookie.

    Requests through a trusted proxy count for the visitor's address, not for the proxy's.
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
    """Return the network address of a request's visitor, or "" if it is unknown.

    If `trusts_proxy` is set, read the last public address in X-Forwarded-For: each proxy appends the address of its
    client, and the sender may have forged the addresses before. Otherwise use the peer's address, unless that is
    private. A private peer is likely a proxy or a container's gateway, which all visitors share.
    """
    if not trusts_proxy:
        address = _parse(peer)
        return _text(address) if address is not None and address.is_global else ""
    parsed = map(_parse, headers.get("x-forwarded-for", "").split(","))
    forwarded = [address for address in parsed if address is not None]
    public = [address for address in forwarded if address.is_global]
    return _text((public or forwarded)[-1]) if forwarded else ""


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, without the port that some proxies add. Return None if it is invalid."""
    text = text.strip()
    host = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _text(address: IPv4Address | IPv6Address) -> str:
    """Return the address as text. IPv6 is shortened to its /64 network, because a person owns a whole /64."""
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def read_visitor(headers: Mapping[str, str]) -> str:
    """Return the value of the visitor's cookie, or ""."""
    return cookie_parser(headers.get("cookie") or "").get(COOKIE, "")


def cookie_of(value: str, headers: Mapping[str, str], scheme: str, name: str = COOKIE) -> str:
    """Return a Set-Cookie header.

    A Space shows the page in a frame of huggingface.co. Browsers send cookies there only with SameSite=None and
    Partitioned, which need HTTPS.
    """
    # The first value is the visitor's: each further proxy appends its own after a comma.
    proto = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
    sites = "SameSite=None; Secure; Partitioned" if proto == "https" else "SameSite=Lax"
    return f"{name}={value}; Path=/; HttpOnly; {sites}"
