"""What the three hubs answer alike: JSON, refusals, parts of files, and pages of a list."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from hub_ui.demo.hubs.content import Content, chunks

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


def html_answer(title: str, text: str, status: int = 200) -> Response:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    return HTMLResponse(page, status)


def bearer(request: Request) -> str | None:
    """The token after the first space. Like the hubs, it accepts any scheme."""
    _scheme, _space, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None


async def json_body(request: Request, kind: type[T], otherwise: Response) -> T:
    """Raises RefusalError for NaN and lone surrogates too, which Python parses but no JSON response can contain."""
    try:
        data = json.loads(await request.body())
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise RefusalError(otherwise) from error
    if not isinstance(data, kind):
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


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """`previous` and `next` are the cursors of the pages beside it."""

    items: Sequence[T]
    previous: str | None
    next: str | None


def page_of(items: Sequence[T], cursor: str | None, size: int) -> Page[T] | None:
    """The page at an opaque cursor: the first one without a cursor, None for an invalid one."""
    offset = _offset(cursor) if cursor else 0
    if offset is None:
        return None
    found, end = items[offset : offset + size], offset + size
    return Page(
        items=found,
        previous=_cursor(max(offset - size, 0)) if offset else None,
        next=_cursor(end) if found and end < len(items) else None,
    )


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(cursor: str) -> int | None:
    try:
        return natural(base64.urlsafe_b64decode(cursor.encode()).decode())
    except ValueError:
        return None
