"""What the three hubs answer alike: JSON, refusals, parts of files, and pages of a list.

And files by signed and public URLs, as on CivitAI's storage, the Hub's CDN and replicate.delivery, and images.
"""

import asyncio
import base64
import hashlib
import hmac
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.folder import Content, DataFolderError, Json, chunks, inside

T = TypeVar("T")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_NOT_SATISFIABLE = range(0)
_DIGITS = 18


class RefusalError(Exception):
    """Ends a route with `response`."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def answer_refusal(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, RefusalError)
    return refusal.response


def json_answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # Half a character becomes its escape, which JSON allows and hubs do send.
    body = json.dumps(data, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
    return Response(body, status, headers, media_type="application/json")


def with_etag(request: Request, answer: Response, *, weak: bool = False, cache_control: str = "") -> Response:
    """Add the headers for caches. The response becomes an empty 304 if the client has these bytes already."""
    digest = hashlib.sha1(bytes(answer.body), usedforsecurity=False).hexdigest()
    etag = f'{"W/" if weak else ""}"{digest}"'
    headers = {"ETag": etag, **({"Cache-Control": cache_control} if cache_control else {})}
    if etag in request.headers.get("if-none-match", "").split(", "):
        return Response(None, 304, headers)
    answer.headers.update(headers)
    return answer


def html_answer(title: str, text: str, status: int = 200) -> Response:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    return HTMLResponse(page, status)


def bearer(request: Request) -> str | None:
    """The token after the first space. Like the hubs, it accepts any scheme."""
    _scheme, _space, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None


async def json_body(request: Request, otherwise: Response) -> Json:
    """An object, without the NaN and lone surrogates that Python parses but no JSON answer can hold."""
    try:
        data = json.loads(await request.body())
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise RefusalError(otherwise) from error
    if not isinstance(data, dict):
        raise RefusalError(otherwise)
    return data


def content_answer(
    request: Request,
    content: Content,
    headers: Mapping[str, str],
    media_type: str = "application/octet-stream",
) -> Response:
    """As Starlette's FileResponse, for contents that are in no file."""
    # A range applies only if `If-Range` matches the current ETag.
    is_current = request.headers.get("if-range") in (None, headers.get("ETag"))
    wanted = parse_range(request.headers.get("range"), content.size) if is_current else None
    if wanted is _NOT_SATISFIABLE:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{content.size}"})
    status, part = (200, range(content.size)) if wanted is None else (206, wanted)
    sent = {"Accept-Ranges": "bytes", "Content-Length": str(len(part)), **headers}
    if wanted is not None:
        sent["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{content.size}"
    if request.method == "HEAD":
        return Response(None, status, sent, media_type)

    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks(content, part.start, part.stop):
            yield chunk
            # Lets the server notice a disconnect and serve other clients during a large file.
            await asyncio.sleep(0)

    return StreamingResponse(stream(), status, sent, media_type)


def parse_range(header: str | None, size: int) -> range | None:
    """None for the whole file. Invalid headers and multiple ranges are ignored, as in RFC 9110, section 14."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if not match or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    return range(start, stop) if start < stop else _NOT_SATISFIABLE


def natural(text: str | None) -> int | None:
    """A non-negative integer, or None for other text and for numbers longer than any id."""
    return int(text) if text and text.isdecimal() and len(text) <= _DIGITS else None


def page_of(items: Sequence[T], cursor: str | None, size: int, start: int = 0) -> tuple[Sequence[T], str | None] | None:
    """The page at an opaque cursor, else at `start`, and the cursor of the next. None for an invalid cursor."""
    try:
        offset = natural(base64.urlsafe_b64decode(cursor.encode()).decode()) if cursor else start
    except ValueError:
        offset = None
    if offset is None:
        return None
    found, end = items[offset : offset + size], offset + size
    return found, base64.urlsafe_b64encode(str(end).encode()).decode() if found and end < len(items) else None


_BAD = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
_MISSING = b"<Error><Code>NoSuchKey</Code></Error>"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Serves only the URLs made by `sign` and `public`."""

    origin: str
    secret: bytes
    signed_contents: dict[str, Content] = field(default_factory=dict)
    public_contents: dict[str, Content] = field(default_factory=dict)

    def sign(self, path: str, content: Content | None, disposition: str, *, lifetime: int) -> str:
        """A URL that says that it is valid for `lifetime` seconds. Without content it returns 404."""
        if content is not None:
            self.signed_contents[path] = content
        query = {
            "X-Amz-Expires": str(lifetime),
            "response-content-disposition": disposition,
            "X-Amz-Signature": self._signature(path),
        }
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
        if content is None:
            return Response(_MISSING, 404, media_type="application/xml")
        if query.get("X-Amz-Signature") != self._signature(path):
            return Response(_BAD, 403, media_type="application/xml")
        # Starlette encodes headers as Latin-1; the storages send UTF-8.
        disposition = query.get("response-content-disposition", "attachment").encode().decode("latin-1")
        return content_answer(request, content, {**headers, "Content-Disposition": disposition})

    def _signature(self, path: str) -> str:
        return hmac.new(self.secret, path.encode(), hashlib.sha256).hexdigest()


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


_FORMATS = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}
# The part of a path in which CivitAI's image server is told what to make of the file.
_SIZED = re.compile(r"(?P<wishes>[a-z]+=[a-z0-9]+(?:,[a-z]+=[a-z0-9]+)*)/(?P<name>[^/]+)")
_VIDEOS = (".mp4", ".webm")
_SIDE = 192


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


def draw_picture(prompt: str, *, seed: object, lora: str, strength: float, form: str) -> bytes:
    """Prompt and seed set the background, the LoRA a disc: its colour, its size by strength, black if negative."""
    vivid = _colours(f"{prompt}\n{seed}")
    ground, horizon = (((red + 460) // 3, (green + 460) // 3, (blue + 460) // 3) for red, green, blue in vivid)
    image = Image.new("RGB", (_SIDE, _SIDE), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, _SIDE * 2 // 3, _SIDE, _SIDE), fill=horizon)
    radius = min(abs(strength), 3.0) * _SIDE / 6
    if radius:
        middle, colour = _SIDE / 2, _colours(lora)[0] if strength > 0 else (0, 0, 0)
        draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), fill=colour)
    written = io.BytesIO()
    image.save(written, format=_FORMATS.get(form, "PNG"))
    return written.getvalue()


def _colours(text: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    red, green, blue, *others = hashlib.sha256(text.encode()).digest()
    return (red, green, blue), (others[0], others[1], others[2])
