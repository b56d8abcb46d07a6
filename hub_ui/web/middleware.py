"""What stands before every page, as ASGI middleware: which names and which other sites are answered, how a refusal is
said, the language, the headers and the log of a request.

Other web sites must not reach the page through the browser, by DNS rebinding or from their own pages (Origin and
Sec-Fetch-Site).
"""

import ipaddress
import logging
import re
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from hub_ui.base.i18n import language, use_language
from hub_ui.base.logs import REQUEST_ID_HEADER, new_request_id, use_request_id
from hub_ui.locales import read_language
from hub_ui.web import visitors
from hub_ui.web.layout.pages import THEME_COOKIE, TOAST, static_version
from hub_ui.web.layout.render import Renderer
from hub_ui.web.requests import Refused, RequestMiddleware, path_of
from hub_ui.web.view import View

VARIABLE = "HUB_UI_ALLOWED_HOSTS"
_PORTS = {"http": 80, "https": 443}
# By Sec-Fetch-Site. Another port of this computer is the same site to a browser; older ones don't say.
_OTHER_SITES, _OWN_SITE = ("cross-site", "same-site"), ("same-origin", "none")
# What other sites may lead to: pages, a sheet that is shared, and where Hugging Face brings back who has signed in.
PAGES = (*visitors.PAGES, "/history", "/lora-image", "/judge", "/login/callback")


@dataclass(frozen=True)
class HostCheck(RequestMiddleware):
    """Checks every route, including Gradio's. Programs send neither Origin nor Sec-Fetch-Site.

    `names` are set by the owner, `own` are this computer's. IP addresses always pass: no other site has ours as host.
    `every`: so do all names, as of a page for everybody. `frames`: whether links of other sites may open the page in a
    frame of theirs too.
    """

    names: frozenset[str] = frozenset()
    own: frozenset[str] = field(default_factory=lambda: own_names())
    every: bool = False
    frames: bool = False

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self.check(headers)
        if headers.get("sec-fetch-site") in _OTHER_SITES and not self.is_visit(scope, headers):
            raise Refused("Another web page asked for this, and hub-ui answers its own page only.", 403)
        await self.app(scope, receive, send)

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

    def is_visit(self, scope: Scope, headers: Headers) -> bool:
        """Whether a person follows a link to a page, as other sites may have one, or comes back from signing in."""
        places = ("document", "frame", "iframe") if self.frames else ("document",)
        goes = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") in places
        return goes and scope["method"] == "GET" and path_of(scope) in PAGES


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


@dataclass(frozen=True)
class Refusals(RequestMiddleware):
    """What is refused within: people read it on a small page, htmx shows it as a toast, and programs get JSON."""

    render: Renderer

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Refused as refused:
            await self.refusal(scope, refused)(scope, receive, send)

    def refusal(self, scope: Scope, refused: Refused) -> Response:
        headers = Headers(scope=scope)
        if headers.get("hx-request") == "true":
            return HTMLResponse(self.render("layout/toast", text=refused.message), refused.status, TOAST)
        if "text/html" in headers.get("accept", ""):
            frame = {"lang": language().code, "root": scope.get("root_path", ""), "version": static_version()}
            frame |= {"theme": Request(scope).cookies.get(THEME_COOKIE, ""), "view": View(page="downloads")}
            return HTMLResponse(self.render("layout/refusal", text=refused.message, frame=frame), refused.status)
        return JSONResponse({"detail": refused.message}, refused.status)


# Of everything else, which is shown within the page or downloaded. A file that is opened by itself runs nothing.
_REST = "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'self'; frame-ancestors {frames}"
_FEATURES = (
    "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone",
    "midi", "payment", "serial", "usb",
)  # fmt: skip
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
}


@dataclass(frozen=True)
class SecurityHeaders(RequestMiddleware):
    """Around all others. `frames` are the sites that may show a page in a frame. A page of ours has a policy of its own
    (layout/pages.py).
    """

    frames: str = "'self'"

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", _REST.format(frames=self.frames))
            await send(message)

        await self.app(scope, receive, reply)


_LOG = logging.getLogger(__name__)
# The first parts of a path, as far as they are words of the program. Others may be somebody's file, or the id of their
# event.
_WORDS = re.compile(r"(?:/[a-z_-]{1,15}(?=[/=]|\Z)){0,3}")


@dataclass(frozen=True)
class RequestContext(RequestMiddleware):
    """While a request is answered it has a number and the language of who sent it, and then a line in the log."""

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        number, start, status = new_request_id(), time.monotonic(), 0
        MutableHeaders(scope=scope)[REQUEST_ID_HEADER] = number

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = number
            await send(message)

        with use_request_id(number), use_language(read_language(Headers(scope=scope))):
            try:
                await self.app(scope, receive, reply)
            finally:
                path = visible_path(str(scope["path"]))
                asks = scope["method"] != "GET" or path == "/"
                fields = {"method": scope["method"], "path": path, "status": status}
                fields["seconds"] = round(time.monotonic() - start, 3)
                _LOG.log(logging.INFO if asks else logging.DEBUG, "request", extra=fields)


def visible_path(path: str) -> str:
    found = _WORDS.match(path)
    return (found and found[0]) or "/"
