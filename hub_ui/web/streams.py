"""Answers that come in parts, as server-sent events. htmx swaps each part as it arrives (its SSE extension)."""

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.responses import StreamingResponse

# Each may wait for a hub in a thread of its own, which Starlette's pool of 40 could not give.
MOST_STREAMS = 400
_END = object()


@dataclass(frozen=True)
class Signal:
    """A step of a stream that is no HTML: htmx triggers the event `name` on the element that reads the stream."""

    name: str


class Streams:
    """The open streams of a server, all in one event loop."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._limiter = CapacityLimiter(most)

    def answer(self, parts: Iterator[str | Signal]) -> StreamingResponse:
        """`parts` are HTML. It is closed in its own thread once nobody reads on, so that its work ends there."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(parts), media_type="text/event-stream", headers=headers)

    async def _events(self, parts: Iterator[str | Signal]) -> AsyncIterator[str]:
        left, part = threading.Event(), object()

        def step() -> object:
            part = next(parts, _END)
            if left.is_set():
                close(parts)
            return part

        try:
            while (part := await to_thread.run_sync(step, limiter=self._limiter, abandon_on_cancel=True)) is not _END:
                yield f"event: {part.name}\n\n" if isinstance(part, Signal) else event(str(part))
        finally:
            left.set()
            # What has ended has nothing to close, and a thread for it would cost more than the answer.
            if part is not _END:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(close, parts)


def close(parts: Iterator[str | Signal]) -> None:
    """Ends a generator; one that is at work in another thread ends there."""
    try:
        getattr(parts, "close", lambda: None)()
    except ValueError:  # "generator already executing"
        return


def event(html: str) -> str:
    """One server-sent event. See https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
