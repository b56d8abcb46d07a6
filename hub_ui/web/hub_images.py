"""The hubs' images, fetched by the page's own server: widgets/render.py says why."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.errors import BadAnswer, HubUiError
from connectors.http.adapter import file_http
from connectors.http.ranges import RangedSource
from hub_ui.widgets.render import PATH, ImageLinks

# Gradio's own threads are not to wait for hosts that are slow.
AT_ONCE = 16
SECONDS = 20.0
MOST_BYTES = 24 * 1024 * 1024
MOST_PIXELS = 100_000_000
# An SVG may hold code, so that none is passed on.
TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
# In place of one that can't be had: a browser's own sign for it is a torn page.
MISSING = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" fill="none" stroke="#8a8f98">
<rect x="38" y="42" width="44" height="36" rx="4"/><circle cx="50" cy="54" r="4"/><path d="m40 74 14-12 8 6 10-9 8 8"/>
<path d="m34 86 52-52"/></svg>"""


@dataclass(frozen=True, kw_only=True)
class HubImage:
    data: bytes
    media_type: str


@dataclass(frozen=True, kw_only=True)
class HubImages:
    """`hosts` are those of the hubs. A hub on this network may show images of its own host, which nobody else may."""

    links: ImageLinks
    hosts: Mapping[str, str] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "hub-image"))

    def route(self) -> Route:
        return Route(f"/{PATH}", self._answer)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def fetch(self, url: str, hub: str) -> HubImage:
        """Raises one of our errors for what can't be fetched, and for what is no image."""
        with file_http(public={self.hosts.get(hub, "")}, again=False) as http:
            return check_image(RangedSource(url).fetch(http, most=MOST_BYTES, seconds=SECONDS))

    async def _answer(self, request: Request) -> Response:
        named = self.links.read(request.query_params)
        if named is None:
            return Response("This image's link is of another run of hub-ui. Load the page again.", 403)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, self.fetch, *named)
        except HubUiError:
            return Response(MISSING, media_type="image/svg+xml", headers={**SAFE, "Cache-Control": "no-store"})
        headers = {**SAFE, "Cache-Control": "private, max-age=86400"}
        return Response(found.data, media_type=found.media_type, headers=headers)


def host_of(endpoint: str) -> str:
    return urlsplit(endpoint).hostname or ""


def check_image(data: bytes) -> HubImage:
    """Its type is read from its bytes. Raises BadAnswer for what is none of TYPES."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=tuple(TYPES)) as image:
                pixels, form = image.width * image.height, image.format or ""
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadAnswer("What came is no image.") from error
    if pixels > MOST_PIXELS:
        raise BadAnswer("The image is too large to be shown.")
    return HubImage(data=data, media_type=TYPES[form])
