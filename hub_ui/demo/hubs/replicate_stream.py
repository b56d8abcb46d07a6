"""A prediction as server-sent events, as at the address `urls.stream`.

Source: replicate.com/docs/topics/predictions/streaming: events `output`, `error` and `done`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

from starlette.responses import Response, StreamingResponse

from hub_ui.demo.hubs.folder import Json

_ASKED_EVERY = 0.02
_REASONS = {"failed": "error", "aborted": "canceled", "canceled": "canceled"}


def stream_answer(run: Callable[[], Json | None]) -> Response:
    """`run` tells the prediction as it is now."""
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(_events(run), headers=headers, media_type="text/event-stream")


async def _events(run: Callable[[], Json | None]) -> AsyncIterator[str]:
    while (data := run()) is not None and data["status"] in ("starting", "processing"):
        await asyncio.sleep(_ASKED_EVERY)
    if data is None:
        return
    numbers = count()
    outputs = data.get("output")
    for output in outputs if isinstance(outputs, list) else [] if outputs is None else [outputs]:
        yield _event("output", next(numbers), output)
    if data["status"] == "failed":
        yield _event("error", next(numbers), {"detail": data.get("error")})
    reason = _REASONS.get(data["status"])
    yield _event("done", next(numbers), {"reason": reason} if reason else {})


def _event(kind: str, number: int, data: Any) -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    lines = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"event: {kind}\nid: {number}:0\n{lines}\n"
