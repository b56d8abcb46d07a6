"""Pictures: files of the data folder's `pictures`, and drawn ones where a prediction needs an output."""

import hashlib
import io
import mimetypes
from pathlib import Path

from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import content_answer
from hub_ui.demo.hubs.content import OnDisk
from hub_ui.demo.hubs.folder import DataFolderError, inside

_FORMATS = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}


def picture_routes(data: Path) -> list[BaseRoute]:
    def picture(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            path = inside(data / "pictures", name)
        except DataFolderError:
            return Response("Not Found", 404)
        return content_answer(request, OnDisk(path=path), media_type=mimetypes.guess_type(name)[0] or "image/png")

    return [Route("/pictures/{name:path}", picture)]


def draw_picture(
    prompt: str, *, seed: object = None, lora: str = "", strength: float = 0.0, side: int = 192, form: str = "png"
) -> bytes:
    """Ground and horizon come of prompt and seed, and are the same for the same ones.

    On them shines what the LoRA adds: the larger the stronger it is, of one colour for each LoRA, nothing at 0. A
    negative strength shades in place of shining.
    """
    ground, horizon = (_pale(colour) for colour in _colours(f"{prompt}\n{seed}"))
    image = Image.new("RGB", (side, side), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, side * 2 // 3, side, side), fill=horizon)
    radius = min(abs(strength), 3.0) * side / 6
    if radius:
        middle, colour = side / 2, _colours(lora)[0] if strength > 0 else (0, 0, 0)
        draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), fill=colour)
    written = io.BytesIO()
    image.save(written, format=_FORMATS.get(form, "PNG"))
    return written.getvalue()


def _pale(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = ((part + 2 * 230) // 3 for part in colour)
    return red, green, blue


def _colours(text: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    bytes_ = hashlib.sha256(text.encode()).digest()
    return (bytes_[0], bytes_[1], bytes_[2]), (bytes_[3], bytes_[4], bytes_[5])
