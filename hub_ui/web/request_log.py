"""Each request gets an id, which all that is logged of it has, and a line of its own in the log."""

import logging
import re
import time
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_ui.logs import REQUEST_ID_HEADER, new_request_id, use_request_id

_LOG = logging.getLogger(__name__)
# A part of a path that is a word of the program. Others may be somebody's file, or the id of their event.
_WORD = re.compile(r"[a-z_-]{1,15}")


@dataclass(frozen=True)
class RequestLog:
    """ASGI middleware, the outermost."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number, start, status = new_request_id(), time.monotonic(), 0
        headers = [pair for pair in scope["headers"] if pair[0] != REQUEST_ID_HEADER.encode()]
        scope = {**scope, "headers": [*headers, (REQUEST_ID_HEADER.encode(), number.encode())]}

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = number
            await send(message)

        with use_request_id(number):
            try:
                await self.app(scope, receive, reply)
            finally:
                path = visible_path(str(scope["path"]))
                asks = scope["method"] != "GET" or path == "/"
                fields = {"method": scope["method"], "path": path, "status": status}
                fields["seconds"] = round(time.monotonic() - start, 3)
                _LOG.log(logging.INFO if asks else logging.DEBUG, "request", extra=fields)


def visible_path(path: str) -> str:
    """Its first parts, as far as they are words of the program."""
    words: list[str] = []
    for part in path.split("/")[1:4]:
        word, sign, _ = part.partition("=")
        if not _WORD.fullmatch(word):
            break
        words.append(word)
        if sign:
            break
    return "/" + "/".join(words)
