"""Headers that tell browsers what the page may do: its own scripts run and no others, whatever text a hub has."""

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
class SecurityHeaders:
    """ASGI middleware around all others. `frames` are the sites that may show a page in a frame. A page of ours has a
    policy of its own (frame/pages.py).
    """

    app: ASGIApp
    frames: str = "'self'"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", _REST.format(frames=self.frames))
            await send(message)

        await self.app(scope, receive, reply if scope["type"] == "http" else send)
