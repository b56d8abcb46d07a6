"""Headers that tell browsers what the page may do: its own scripts run and no others, whatever text a hub has."""

import re
import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio (6.31) makes functions of text, for the scripts of events and of custom HTML, and sets styles on elements.
_PAGE = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' {scripts} 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors {frames}"
)
# Of everything else, which is shown within the page or downloaded. A file that is opened by itself runs nothing.
_REST = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors {frames}"
)
_FEATURES = (
    "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone",
    "midi", "payment", "serial", "usb",
)  # fmt: skip
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
}
# What stands between the tags is taken whole, so that text within a script is no tag.
_SCRIPT = re.compile(rb"<script(\b[^>]*>.*?</script>)", re.DOTALL)


@dataclass(frozen=True)
class SecurityHeaders:
    """ASGI middleware around all others. `frames` are the sites that may show the page in a frame.

    `scripts` are those that Gradio adds to the head by another script.
    """

    app: ASGIApp
    frames: str = "'self'"
    scripts: Sequence[str] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scripts = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in self.scripts)
        nonce, start = secrets.token_urlsafe(16), dict[str, object]()
        is_page = scope["method"] in ("GET", "HEAD") and scope["path"] == "/"

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                policy = _PAGE if is_page else _REST
                headers.setdefault(
                    "Content-Security-Policy", policy.format(nonce=nonce, scripts=scripts, frames=self.frames)
                )
                start.update(message if is_page else {})
            elif start:
                # Gradio sends its page in one piece.
                body = name_scripts(message.get("body", b""), nonce)
                if scope["method"] == "GET":
                    MutableHeaders(scope=start)["content-length"] = str(len(body))
                await send(dict(start))
                start.clear()
                message = {**message, "body": body}
            if not start:
                await send(message)

        await self.app(scope, receive, reply)


def name_scripts(page: bytes, nonce: str) -> bytes:
    """The page whose scripts may run: text that gets into it later, as an element or an attribute, is none of them."""
    return _SCRIPT.sub(b'<script nonce="' + nonce.encode() + rb'"\1', page)
