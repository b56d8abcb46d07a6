"""Signed and public URLs of files, as on CivitAI's storage, the Hub's CDN and replicate.delivery, and images."""

import hashlib
import hmac
import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import content_answer
from hub_ui.demo.hubs.content import Content
from hub_ui.demo.hubs.folder import DataFolderError, inside

_DATE = "%Y%m%dT%H%M%SZ"
_EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
_BAD = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
_MISSING = b"<Error><Code>NoSuchKey</Code></Error>"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Serves only the URLs made by `sign` and `public`."""

    origin: str
    secret: bytes
    now: Callable[[], float] = time.time
    signed_contents: dict[str, Content] = field(default_factory=dict)
    public_contents: dict[str, Content] = field(default_factory=dict)

    def sign(self, path: str, content: Content | None, disposition: str, *, lifetime: int) -> str:
        """A URL valid for `lifetime` seconds. Without content it returns 404."""
        if content is not None:
            self.signed_contents[path] = content
        query = {
            "X-Amz-Expires": str(lifetime),
            "response-content-disposition": disposition,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": datetime.fromtimestamp(self.now(), UTC).strftime(_DATE),
            "X-Amz-SignedHeaders": "host",
        }
        query["X-Amz-Signature"] = self._signature(path, query["X-Amz-Date"], query["X-Amz-Expires"])
        return f"{self.origin}{quote(path)}?{urlencode(query, quote_via=quote)}"

    def public(self, path: str, content: Content) -> str:
        self.public_contents[path] = content
        return self.origin + quote(path)

    def routes(self) -> list[BaseRoute]:
        return [Route("/{path:path}", self.serve)]

    def serve(self, request: Request) -> Response:
        path, query = str(request.scope["path"]), request.query_params
        # The CDN's ETag is not the file's sha256.
        headers = {"ETag": f'"{hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()}"'}
        if path in self.public_contents:
            return content_answer(request, self.public_contents[path], headers)
        content = self.signed_contents.get(path)
        if not self._is_signed(request):
            return _refusal(403, _BAD) if content else _refusal(404, _MISSING)
        signed = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC).timestamp()
        if self.now() > signed + int(query["X-Amz-Expires"]):
            return _refusal(403, _EXPIRED)
        if content is None:
            return _refusal(404, _MISSING)
        # Starlette encodes headers as Latin-1; the storages send UTF-8.
        disposition = query.get("response-content-disposition", "attachment").encode().decode("latin-1")
        return content_answer(request, content, {**headers, "Content-Disposition": disposition})

    def _is_signed(self, request: Request) -> bool:
        query = request.query_params
        signed = (str(request.scope["path"]), query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", ""))
        return hmac.compare_digest(query.get("X-Amz-Signature", "").encode(), self._signature(*signed).encode())

    def _signature(self, *signed: str) -> str:
        return hmac.new(self.secret, "\n".join(signed).encode(), hashlib.sha256).hexdigest()


def attachment(filename: str) -> str:
    """The header of CivitAI's storage: only the plain `filename`, in raw UTF-8."""
    return f'attachment; filename="{_quotable(filename)}"'


def inline(filename: str) -> str:
    """The header of the Hugging Face Hub and its CDN."""
    name = _quotable(filename)
    plain = name.encode("ascii", "replace").decode()
    return f"inline; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";"


def _quotable(filename: str) -> str:
    """The name without characters that would end the quotes or the header."""
    return "".join(sign if sign.isprintable() and sign not in '"\\' else "_" for sign in filename)


def _refusal(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/xml")


_FORMATS = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}
# The part of a path in which CivitAI's image server is told what to make of the file.
_SIZED = re.compile(r"(?P<wishes>[a-z]+=[a-z0-9]+(?:,[a-z]+=[a-z0-9]+)*)/(?P<name>[^/]+)")
_VIDEOS = (".mp4", ".webm")


def picture_routes(data: Path) -> list[BaseRoute]:
    def picture(request: Request) -> Response:
        match = _SIZED.fullmatch(request.path_params["name"])
        name, wishes = (match["name"], match["wishes"]) if match else (request.path_params["name"], "")
        wanted = dict(wish.split("=") for wish in wishes.split(",") if wish)
        is_video = name.endswith(_VIDEOS)
        if is_video and wanted.get("anim") == "false":
            # The first frame lies beside the video: nothing here can decode one.
            name, is_video = f"{name.rpartition('.')[0]}.webp", False
        if is_video and "width" in wanted and wanted.get("anim") != "true":
            return Response("Internal Server Error", 500)
        try:
            path = inside(data / "pictures", name)
        except DataFolderError:
            return Response("Not Found", 404)
        if not wanted.get("width", "").isdecimal() or is_video:
            return FileResponse(path)
        with Image.open(path) as image:
            written = io.BytesIO()
            image.thumbnail((max(int(wanted["width"]), 1), image.height))
            image.save(written, format=image.format)
            return Response(written.getvalue(), media_type=image.get_format_mimetype())

    return [Route("/pictures/{name:path}", picture)]


def draw_picture(
    prompt: str, *, seed: object = None, lora: str = "", strength: float = 0.0, side: int = 192, form: str = "png"
) -> bytes:
    """Prompt and seed set the background, the LoRA a disc: its colour, its size by strength, black if negative."""
    vivid = _colours(f"{prompt}\n{seed}")
    ground, horizon = (((red + 460) // 3, (green + 460) // 3, (blue + 460) // 3) for red, green, blue in vivid)
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


def _colours(text: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    red, green, blue, *others = hashlib.sha256(text.encode()).digest()
    return (red, green, blue), (others[0], others[1], others[2])
