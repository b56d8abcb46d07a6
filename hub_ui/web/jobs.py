"""The addresses of a job, whatever page it belongs to: its steps as a stream, and its end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from connectors.errors import NotFound
from hub_ui.i18n import N_, _
from hub_ui.jobs.jobs import Jobs
from hub_ui.web.frame.pages import Pages
from hub_ui.web.streams import Streams

# Loading a base reports no progress for a while, and who has left is noticed when something is sent.
BEAT_SECONDS = 0.5
GONE = N_("This is no longer here. Start it again.")
JobId = Annotated[str, Path(pattern=r"^[\w-]{1,60}$")]


class JobPainter(Protocol):
    """Shows the jobs of one kind. The page's address is the query of each request."""

    def paint(self, request: Request, id_: str, steps: Iterator[tuple[int, Any]]) -> Iterator[str]:
        """HTML for each step; a step is None where nothing is new. `steps` raises the job's failure."""
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
            painter, steps = self.painter(id_), self.jobs.follow(id_, after=after, beat=BEAT_SECONDS)
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
