"""Which names the page answers to, and which other pages may send requests to it.

Whoever reaches the page may use it, so other web sites must not reach it through the browser: neither under a name of
theirs that resolves to this computer (DNS rebinding), nor from a page of theirs (the Origin header).
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
        name, port = host_of(f"//{headers.get('host', '')}")
        if name not in self.names and name not in self.own and not is_ip_address(name):
            raise Refused(
                f"hub-ui does not answer to the name “{name[:100]}”. If that is a name of this computer, start hub-ui "
                f"with {VARIABLE}={name[:100]} in its environment.",
                403,
            )
        origin = headers.get("origin")
        if origin is None:
            return
        scheme, _, rest = origin.partition("://")
        asking, asking_port = host_of(f"//{rest}")
        usual = _PORTS.get(scheme)
        is_same = asking == name and (asking_port or usual) == (port or usual)
        # A proxy may have changed the Host, so that the names that the owner has named count too.
        if usual is None or not (asking in self.names or is_same):
            raise Refused(
                f"Another web page ({origin[:100]}) asked for this, and hub-ui answers its own page only. If that "
                f"page is a name of this computer, add the name to {VARIABLE}.",
                403,
            )


@dataclass(frozen=True)
class HostCheck:
    """ASGI middleware that checks every route, those of Gradio too."""

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


def is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
