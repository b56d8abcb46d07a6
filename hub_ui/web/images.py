"""Serves generated images, and hubs' images that this server fetches. No address reveals this computer's folders."""

import asyncio
import io
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from connectors.errors import BadAnswer, HubUiError
from connectors.http.adapter import file_http
from connectors.http.ranges import RangedSource
from hub_ui.widgets.render import HUB_IMAGE_PATH, ImageLinks

# Gradio's own threads must not wait for slow hosts.
AT_ONCE = 16
SECONDS = 20.0
MOST_BYTES = 24 * 1024 * 1024
MOST_PIXELS = 100_000_000
# An SVG may contain code, so none is served.
FORMAT_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
# Replaces a missing image, for which browsers show a broken one.
MISSING = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" fill="none" stroke="#8a8f98">
<rect x="38" y="42" width="44" height="36" rx="4"/><circle cx="50" cy="54" r="4"/><path d="m40 74 14-12 8 6 10-9 8 8"/>
<path d="m34 86 52-52"/></svg>"""
IMAGES_PATH = "images"
# The folder also holds visitors' uploads, which may be anything.
SUFFIX_TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}


@dataclass(frozen=True, kw_only=True)
class HubImage:
    data: bytes
    media_type: str


@dataclass(frozen=True, kw_only=True)
class HubImages:
    """`hosts` are the hubs' image hosts. Only a hub on this network may use its own host too."""

    links: ImageLinks
    hosts: Mapping[str, str] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "hub-image"))

    def route(self) -> Route:
        return Route(f"/{HUB_IMAGE_PATH}", self.answer)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def fetch(self, url: str, hub: str) -> HubImage:
        """Raises one of our errors for what can't be fetched, and for what is no image."""
        with file_http(public={self.hosts.get(hub, "")}, retry_reads=False) as http:
            return check_image(RangedSource(url).fetch(http, most=MOST_BYTES, seconds=SECONDS))

    async def answer(self, request: Request) -> Response:
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
    """The type comes from the bytes. Raises BadAnswer for what is none of FORMAT_TYPES."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=tuple(FORMAT_TYPES)) as image:
                pixels, form = image.width * image.height, image.format or ""
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadAnswer("What came is no image.") from error
    if pixels > MOST_PIXELS:
        raise BadAnswer("The image is too large to be shown.")
    return HubImage(data=data, media_type=FORMAT_TYPES[form])


def address(path: Path) -> str:
    """The address of an image in a subfolder. It is relative, so that it works behind a proxy's path."""
    return f"{IMAGES_PATH}/{path.parent.name}/{path.name}"


@dataclass(frozen=True, kw_only=True)
class GeneratedImages:
    """`folder` is the page's own."""

    folder: Path

    def route(self) -> Route:
        return Route(f"/{IMAGES_PATH}/{{inside}}/{{name}}", self.answer)

    async def answer(self, request: Request) -> Response:
        path = self.folder / request.path_params["inside"] / request.path_params["name"]
        media_type = SUFFIX_TYPES.get(path.suffix)
        if media_type is None or not is_inside(path, self.folder):
            return Response("This image is no longer here. Make it again.", 404)
        headers = {**SAFE, "Cache-Control": "private, max-age=86400"}
        return FileResponse(path, media_type=media_type, headers=headers)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether it is a file within the folder, without links or ".." out of it."""
    try:
        return path.is_file() and path.resolve() == path and path.is_relative_to(folder)
    # A name that is invalid for files.
    except (OSError, ValueError):
        return False
