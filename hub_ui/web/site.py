"""Construction of all routes: pages, jobs, health, readiness and metrics. app.py adds them to the server."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import fastapi
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute, Mount

from connectors.errors import HubUiError, NotFound
from connectors.replicate.runs import Runs
from hub_ui.app.checks import LibraryChecks
from hub_ui.app.jobs import GONE, Jobs
from hub_ui.app.metrics import CONTENT_TYPE
from hub_ui.app.services import Services
from hub_ui.base.i18n import _
from hub_ui.generate.base_models.files import bases_here
from hub_ui.web.browse.cards import Cards, HeaderReader
from hub_ui.web.browse.routes import BrowseRoutes
from hub_ui.web.downloads.routes import DownloadRoutes
from hub_ui.web.history import HistoryRoutes
from hub_ui.web.images import GeneratedImages, HubImages, LocalImages
from hub_ui.web.layout.pages import STATIC, STATIC_PATH, LayoutRoutes, Pages, Room, StaticPages, route
from hub_ui.web.library.routes import LibraryRoutes
from hub_ui.web.lora.panel import Panel
from hub_ui.web.lora.routes import LoraRoutes
from hub_ui.web.news import NewsRoutes
from hub_ui.web.settings import SettingsRoutes
from hub_ui.web.train import TrainRoutes
from hub_ui.web.try_page.generate import Generator
from hub_ui.web.try_page.judge import JudgeRoutes
from hub_ui.web.try_page.routes import TryRoutes
from hub_ui.web.uploads import DroppedRoutes, Uploads
from hub_ui.web.visit import VisitRoutes

# A visitor's disconnect is noticed only on sending, so send a beat while loading a base reports no progress.
BEAT_SECONDS = 0.5
JobId = Annotated[str, fastapi.Path(pattern=r"^[\w-]{1,60}$")]


@dataclass(frozen=True, kw_only=True)
class JobRoutes(Room):
    """Routes to follow and stop a job. The id of a job is a secret, so any client that has the id may use them.

    `painters` are by the kind of a job's subject. `paint` renders each step as HTML: a step is None (nothing new), and
    the last step is a result, Failed or Stopped. The query of each request is the address of the page.
    """

    jobs: Jobs
    painters: Mapping[str, TryRoutes | TrainRoutes]

    @route("GET /jobs/{id_}")
    def follow(self, request: Request, id_: JobId, after: int = 0) -> Response:
        painter, steps = self.painter(id_), self.jobs.follow(id_, after=after, beat=BEAT_SECONDS, raises=False)
        return self.pages.streams.answer(painter.paint(request, id_, steps))

    @route("POST /jobs/{id_}/stop")
    def stop(self, request: Request, id_: JobId) -> Response:
        return self.painter(id_).stop(request, id_)

    def painter(self, id_: str) -> TryRoutes | TrainRoutes:
        """Return the painter of a job. Raise NotFound if the job is unknown or was deleted."""
        job = self.jobs.find(id_)
        painter = self.painters.get(job.subject.kind) if job is not None else None
        if painter is None:
            raise NotFound(_(GONE))
        return painter


HEALTH_ROUTE = "/health"
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, kw_only=True)
class HealthRoutes(Room):
    """Routes for liveness, readiness and metrics. `running` returns the number of unfinished generations."""

    running: Callable[[], int]

    @route(f"GET {HEALTH_ROUTE}")
    async def health(self) -> Response:
        return JSONResponse({"status": "alive"}, headers=_NO_STORE)

    @route("GET /ready")
    def ready(self) -> Response:
        state = self.state()
        return JSONResponse(state, 200 if state["ready"] else 503, _NO_STORE)

    def state(self) -> dict[str, Any]:
        """Return the state for /ready. A missing base model is reported, but the page is ready without it."""
        settings, running, catalog = self.services.settings, self.running(), "answers"
        try:
            self.services.catalog.change()
        except HubUiError:
            catalog = "does not answer"
        is_stopping, most = self.services.lifecycle.is_stopping, settings.limits.queue
        here = bases_here(settings.limits.bases, demo=settings.demo)
        return {
            "ready": catalog == "answers" and running < most and not is_stopping,
            "stopping": is_stopping,
            "catalog": catalog,
            "base": "present" if here else "missing",
            "bases": here,
            "queue": {"generations": running, "most": most},
        }

    @route("GET /metrics")
    def metrics(self, request: Request) -> Response:
        """Return the metrics. A hosted page always needs the token: a local client may be a proxy for any visitor."""
        settings = self.services.settings
        scheme, _space, given = request.headers.get("authorization", "").partition(" ")
        is_token = hmac.compare_digest(given.strip().encode(), settings.metrics_token.encode())
        if settings.hosted and not (settings.metrics_token and scheme.lower() == "bearer" and is_token):
            text = "The metrics are for who runs this page: set HUB_UI_METRICS_TOKEN, and send it as a Bearer token."
            return JSONResponse({"detail": text}, 401, {**_NO_STORE, "WWW-Authenticate": "Bearer"})
        return Response(self.services.metrics.text(), headers={**_NO_STORE, "Content-Type": CONTENT_TYPE})


def build_routes(services: Services, closing: ExitStack, jobs: Jobs, folder: Path) -> Sequence[BaseRoute]:
    """Build all routes. `folder` holds generated images and uploads. Resources to close are added to `closing`."""
    pages, limits = Pages(services=services), services.policy.limits
    panel, cards = Panel(services=services, render=pages.render), Cards(services=services, render=pages.render)
    reader = HeaderReader(services=services)
    closing.callback(reader.close)
    checks = LibraryChecks(services.downloads, services.update_rules, jobs)
    visits = [VisitRoutes(pages=pages, downloads=services.visitor_downloads)] if services.visitor_downloads else []
    links, destinations = pages.render.links, services.settings.image_destinations
    hub_images = HubImages(links=links, store=services.media, destinations=destinations)
    closing.callback(hub_images.close)
    images = GeneratedImages(folder=folder, keep_seconds=limits.keep_seconds)
    uploads = Uploads(folder=folder, limits=limits, spend=lambda size: services.quotas.spend("uploads", size))
    library = LibraryRoutes(pages=pages, checks=checks, uploads=uploads)
    history, news = HistoryRoutes(pages=pages), NewsRoutes(pages=pages)
    generator = Generator(services=services, jobs=jobs, images=images)
    compare = TryRoutes(pages=pages, generator=generator, uploaded=uploads.path, history=history.html)
    runs = Runs(services.replicate)
    closing.callback(runs.close)
    train = TrainRoutes(pages=pages, runs=runs, jobs=jobs, uploads=uploads)
    rooms: tuple[Room, ...] = (
        BrowseRoutes(pages=pages, panel=panel, cards=cards, reader=reader, news=news),
        news,
        LoraRoutes(pages=pages, panel=panel, news=news),
        # Before LibraryRoutes, because the first match wins: on a page with visitors, GET /library is the visitor's.
        *visits,
        library,
        DownloadRoutes(pages=pages),
        compare,
        JudgeRoutes(pages=pages, images=images, uploaded=uploads.path),
        JobRoutes(pages=pages, jobs=jobs, painters={"generation": compare, "training": train}),
        history,
        DroppedRoutes(pages=pages, uploads=uploads),
        train,
        SettingsRoutes(pages=pages),
        LayoutRoutes(pages=pages),
        HealthRoutes(pages=pages, running=lambda: jobs.running("generation")),
    )
    router = pages.router()
    for room in rooms:
        room.add_to(router)
    static = Mount(STATIC_PATH, StaticPages(directory=STATIC))
    return [static, *hub_images.routes(), LocalImages(links=links).route(), images.route(), *router.routes]
