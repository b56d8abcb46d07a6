"""Small copies of images on this computer, by links that only this server makes."""

import asyncio
import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub_ui.web.images import FORMAT_TYPES, MISSING, MOST_PIXELS, SAFE
from hub_ui.widgets.render import LOCAL_IMAGE_PATH, ImageLinks

SIDE = 256
AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class LocalImages:
    links: ImageLinks
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "local-image"))

    def route(self) -> Route:
        return Route(f"/{LOCAL_IMAGE_PATH}", self.answer)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def answer(self, request: Request) -> Response:
        path = self.links.read_local(request.query_params)
        if path is None:
            return Response("This image's link is of another run of hub-ui. Load the page again.", 403)
        data = await asyncio.get_running_loop().run_in_executor(self._pool, small_copy, path)
        if data is None:
            return Response(MISSING, media_type="image/svg+xml", headers={**SAFE, "Cache-Control": "no-store"})
        return Response(data, media_type="image/webp", headers={**SAFE, "Cache-Control": "private, max-age=3600"})


def small_copy(path: Path) -> bytes | None:
    """As WebP; None for what is gone, no image, or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=tuple(FORMAT_TYPES)) as image:
                if image.width * image.height > MOST_PIXELS:
                    return None
                image.draft("RGB", (SIDE, SIDE))
                small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        target = io.BytesIO()
        small.save(target, format="WEBP", quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return target.getvalue()
