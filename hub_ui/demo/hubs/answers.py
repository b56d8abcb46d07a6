"""Answers the three hubs have in common: JSON, bytes with ranges, pages."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hub_ui.demo.hubs.content import Content, chunks

T = TypeVar("T")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_NOT_SATISFIABLE = range(0)


class RefusalError(Exception):
    """Raised inside a route to answer with `response` at once."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def answer_refusal(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, RefusalError)
    return refusal.response


def json_answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(data, ensure_ascii=False, default=str).encode()
    return Response(body, status, headers, media_type="application/json")


def html_answer(title: str, text: str, status: int = 200) -> Response:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    return Response(page, status, media_type="text/html")


def bearer(request: Request) -> str | None:
    """The value after the first space, whatever the scheme, as all three hubs read it."""
    _scheme, _space, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None


async def json_body(request: Request, kind: type[T], otherwise: Response) -> T:
    """The body as a JSON value of that kind, or the hub's refusal.

    Python reads more than JSON is, such as NaN or half a surrogate pair, which no answer could repeat.
    """
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
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/octet-stream",
) -> Response:
    # A range is of no use where `If-Range` names another state of the file than the one that is here.
    condition = request.headers.get("if-range")
    header = request.headers.get("range") if condition in (None, (headers or {}).get("ETag")) else None
    wanted = parse_range(header, content.size)
    if wanted is _NOT_SATISFIABLE:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{content.size}"})
    status, part = (200, range(content.size)) if wanted is None else (206, wanted)
    sent = {"Accept-Ranges": "bytes", "Content-Length": str(len(part)), **(headers or {})}
    if wanted is not None:
        sent["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{content.size}"
    if request.method == "HEAD":
        return Response(None, status, sent, media_type)

    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks(content, part.start, part.stop):
            yield chunk
            # Lets the server see that a client has left, and serve the others, in the middle of a large file.
            await asyncio.sleep(0)

    return StreamingResponse(stream(), status, sent, media_type)


def parse_range(header: str | None, size: int) -> range | None:
    """The bytes a Range header asks for: None for all of them, an empty range where there are none.

    RFC 9110, section 14: a header that is not understood is ignored; several ranges are, too.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if not match or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    return range(start, stop) if start < stop else _NOT_SATISFIABLE


def attachment(filename: str) -> str:
    """As CivitAI has its storage send it: the name alone, in UTF-8 whatever is in it."""
    return f'attachment; filename="{_quotable(filename)}"'


def inline(filename: str) -> str:
    """As the Hugging Face Hub and its CDN send it."""
    name = _quotable(filename)
    plain = name.encode("ascii", "replace").decode()
    return f"inline; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";"


def _quotable(filename: str) -> str:
    """A name that cannot end its quotes or its header."""
    return "".join(sign if sign.isprintable() and sign not in '"\\' else "_" for sign in filename)


_MARK = "o:"
_DIGITS = 18


def natural(text: str | None) -> int | None:
    """The number that a parameter says, None for anything else. What has more digits than any id is no number."""
    return int(text) if text and text.isdecimal() and len(text) <= _DIGITS else None


def opaque(offset: int) -> str:
    return base64.urlsafe_b64encode(f"{_MARK}{offset}".encode()).decode()


def read_opaque(cursor: str | None) -> int | None:
    """The offset in a cursor of `opaque`, 0 for none, None for a cursor that is not one of ours."""
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeError):
        return None
    return natural(text.removeprefix(_MARK)) if text.startswith(_MARK) else None


def keyset(score: int, model_id: int, offset: int) -> str:
    """CivitAI's browse cursor: the sort value and ids joined by bars."""
    return f"{score}|{model_id}|{offset}"


def read_keyset(cursor: str | None) -> int | None:
    return natural(cursor.rsplit("|", 1)[-1]) if cursor else 0
