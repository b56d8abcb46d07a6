"""ASGI middleware before every page: host check, refusals, security headers, request language and request log.

HostCheck stops other web sites from reaching the page through the browser, by DNS rebinding or from their own pages
(Origin and Sec-Fetch-Site).
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
# Values of Sec-Fetch-Site, which old browsers don't send. "same-site" includes other ports of this computer.
_OTHER_SITES, _OWN_SITE = ("cross-site", "same-site"), ("same-origin", "none")
# The paths that other sites may link to: pages, shared sheets, and the redirect after signing in at Hugging Face.
PAGES = (*visitors.PAGES, "/history", "/lora-image", "/judge", "/login/callback")


@dataclass(frozen=True)
class HostCheck(RequestMiddleware):
    """A check of host and origin on every route, including Gradio's. Programs send neither Origin nor Sec-Fetch-Site.

    `names` are the host names set by the owner, `own` are this computer's. `every` allows all names, for a public page.
    IP addresses always pass, because DNS rebinding needs a name. `frames` allows other sites to open the page in a
    frame as well.
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
        """Raise Refused for an unknown host name, and for requests from pages of other web sites."""
        name, port = host_of(f"//{headers.get('host', '')}")
        if not self.every and name not in self.names and name not in self.own and not is_ip_address(name):
            raise Refused(
                f"hub-ui does not answer to the name “{name[:100]}”. If that is a name of this computer, start hub-ui "
                f"with {VARIABLE}={name[:100]} in its environment.",
                403,
            )
        origin = headers.get("origin")
        # Trust Sec-Fetch-Site before Origin, because a proxy may change the Host header.
        if origin is None or headers.get("sec-fetch-site") in _OWN_SITE:
            return
        scheme, _, rest = origin.partition("://")
        origin_name, origin_port = host_of(f"//{rest}")
        default_port = _PORTS.get(scheme)
        is_same = origin_name == name and (origin_port or default_port) == (port or default_port)
        # A proxy may have changed the Host header, so allow the owner's names as origins.
        if default_port is None or not (origin_name in self.names or is_same):
            raise Refused(
                f"Another web page ({origin[:100]}) asked for this, and hub-ui answers its own page only. If that "
                f"page is a name of this computer, add the name to {VARIABLE}.",
                403,
            )

    def is_visit(self, scope: Scope, headers: Headers) -> bool:
        """Return whether the request follows a link to one of PAGES."""
        targets = ("document", "frame", "iframe") if self.frames else ("document",)
        is_navigation = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") in targets
        return is_navigation and scope["method"] == "GET" and path_of(scope) in PAGES


def own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, f"{name.split('.')[0]}.local"})


def host_of(address: str) -> tuple[str, int | None]:
    """Return the host name and the port of a URL. The name is empty if the URL is invalid."""
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
    """The responses to Refused: a small page for people, a toast for htmx, and JSON for programs."""

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


# The policy of all responses that are not pages. A file opened in its own tab can't run scripts.
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
    """The security headers of every response. `frames` are the sites that may show a page in a frame.

    Pages set their own policy (layout/pages.py), which is kept.
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
# Matches up to three leading path segments that are plain words. Other segments may reveal a file name or an event id.
_WORDS = re.compile(r"(?:/[a-z_-]{1,15}(?=[/=]|\Z)){0,3}")


@dataclass(frozen=True)
class RequestContext(RequestMiddleware):
    """The id and the language of each request, and its line in the log."""

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
                is_notable = scope["method"] != "GET" or path == "/"
                fields = {"method": scope["method"], "path": path, "status": status}
                fields["seconds"] = round(time.monotonic() - start, 3)
                _LOG.log(logging.INFO if is_notable else logging.DEBUG, "request", extra=fields)


def visible_path(path: str) -> str:
    match = _WORDS.match(path)
    return (match and match[0]) or "/"
