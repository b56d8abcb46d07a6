"""Pictures: files of the data folder's `pictures`, and a plain one where a prediction needs an output."""

import hashlib
import mimetypes
import struct
import zlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import content_answer
from hub_ui.demo.hubs.content import OnDisk
from hub_ui.demo.hubs.folder import DataFolderError, inside

_SIDE = 64


def picture_routes(data: Path) -> list[BaseRoute]:
    def picture(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            path = inside(data / "pictures", name)
        except DataFolderError:
            return Response("Not Found", 404)
        return content_answer(request, OnDisk(path=path), media_type=mimetypes.guess_type(name)[0] or "image/png")

    return [Route("/pictures/{name:path}", picture)]


def plain_picture(text: str) -> bytes:
    """A PNG of one colour, taken from `text`: the same prompt gives the same picture."""
    row = b"\0" + hashlib.sha256(text.encode()).digest()[:3] * _SIDE
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(row * _SIDE)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
