"""Which names the page answers to, and which other pages may talk to it.

A page on this computer does what anyone who reaches it asks for, so that other web sites must not reach it through the
browser: neither under a name of theirs that leads here (DNS rebinding), nor from a page of theirs (the Origin header).
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hub_ui.web.refusal import Refused

VARIABLE = "HUB_UI_ALLOWED_HOSTS"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """`names` are those that the owner has named; `own` the names of this computer.

    An IP address is always a name of the computer itself: no one else's page has one of ours as its host.
    """

    names: frozenset[str] = frozenset()
    own: frozenset[str] = field(default_factory=lambda: own_names())

    def check(self, headers: Headers) -> None:
        """Raises Refused for a request under a name that is not ours, or from another web site's page."""
        host = headers.get("host", "")
        name = host_of(f"//{host}")[0]
        if not self._is_ours(name):
            raise Refused(
                f"hub-ui does not answer to the name “{name[:100]}”. If that is a name of this computer, start hub-ui "
                f"with {VARIABLE}={name[:100]} in its environment.",
                403,
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_same(origin, host):
            raise Refused(
                f"Another web page ({origin[:100]}) asked for this, and hub-ui answers its own page only. If that "
                f"page is a name of this computer, add the name to {VARIABLE}.",
                403,
            )

    def _is_ours(self, name: str) -> bool:
        return name in self.names or name in self.own or _is_address(name)

    def _is_same(self, origin: str, host: str) -> bool:
        """A proxy may have given the request another Host, so that the names that the owner has named count too."""
        scheme, colon, rest = origin.partition("://")
        if not colon or scheme not in _PORTS:
            return False
        asking, port = host_of(f"//{rest}")
        own, own_port = host_of(f"//{host}")
        return asking in self.names or (asking == own and (port or _PORTS[scheme]) == (own_port or _PORTS[scheme]))


@dataclass(frozen=True)
class HostCheck:
    """ASGI middleware: every route is asked about, those of Gradio too."""

    app: ASGIApp
    hosts: Hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self.hosts.check(Headers(scope=scope))
            except Refused as refused:
                await refused.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)


def own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, f"{name.split('.')[0]}.local"})


def host_of(address: str) -> tuple[str, int | None]:
    """Name and port of an address; an empty name for what is none."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
