"""Images that the page has made, under addresses that tell nothing of this computer's folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

PATH = "images"
# The folder holds uploads too, and those of strangers may be anything.
TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}


def address(path: Path) -> str:
    """Of an image in a folder of its own below the page's. Relative, so that it works behind a proxy's path too."""
    return f"{PATH}/{path.parent.name}/{path.name}"


@dataclass(frozen=True, kw_only=True)
class Images:
    """`folder` is the page's own."""

    folder: Path

    def route(self) -> Route:
        return Route(f"/{PATH}/{{inside}}/{{name}}", self.answer)

    async def answer(self, request: Request) -> Response:
        path = self.folder / request.path_params["inside"] / request.path_params["name"]
        media_type = TYPES.get(path.suffix)
        if media_type is None or not is_inside(path, self.folder):
            return Response("This image is no longer here. Make it again.", 404)
        headers = {**SAFE, "Cache-Control": "private, max-age=86400"}
        return FileResponse(path, media_type=media_type, headers=headers)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether it is a file of the folder itself: no link out of it, and no step up."""
    try:
        return path.is_file() and path.resolve() == path and path.is_relative_to(folder)
    # A name that no file can have.
    except (OSError, ValueError):
        return False
