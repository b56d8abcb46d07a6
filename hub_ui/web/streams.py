"""Answers that come in parts, as server-sent events. htmx swaps each part as it arrives (its SSE extension)."""

import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from connectors.errors import NotFound
from hub_ui.i18n import _
from hub_ui.jobs.jobs import GONE, Jobs
from hub_ui.web.layout.pages import Pages

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


# Loading a base reports no progress for a while, and who has left is noticed when something is sent.
BEAT_SECONDS = 0.5
JobId = Annotated[str, Path(pattern=r"^[\w-]{1,60}$")]


class JobPainter(Protocol):
    """Shows the jobs of one kind. The page's address is the query of each request."""

    def paint(self, request: Request, id_: str, steps: Iterator[tuple[int, Any]]) -> Iterator[str]:
        """HTML for each step, which is None where nothing is new, and at last a result, Failed or Stopped."""
        ...

    def stop(self, request: Request, id_: str) -> Response:
        """Ends the job, and answers with what the page shows then."""
        ...


@dataclass(frozen=True, kw_only=True)
class JobRoutes:
    """`painters` by the kind of a job's subject. Whoever has its id may follow and stop it: the id is a secret."""

    pages: Pages
    jobs: Jobs
    streams: Streams
    painters: Mapping[str, JobPainter]

    def router(self) -> APIRouter:
        router = self.pages.router()

        @router.get("/jobs/{id_}")
        def follow(request: Request, id_: JobId, after: int = 0) -> Response:
            painter, steps = self.painter(id_), self.jobs.follow(id_, after=after, beat=BEAT_SECONDS, raises=False)
            return self.streams.answer(painter.paint(request, id_, steps))

        @router.post("/jobs/{id_}/stop")
        def stop(request: Request, id_: JobId) -> Response:
            return self.painter(id_).stop(request, id_)

        return router

    def painter(self, id_: str) -> JobPainter:
        """Raises NotFound for a job that is not kept."""
        found = self.jobs.find(id_)
        painter = self.painters.get(found.subject.kind) if found is not None else None
        if painter is None:
            raise NotFound(_(GONE))
        return painter
