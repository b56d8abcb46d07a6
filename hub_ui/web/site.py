"""Every page's routes, and those beside the pages: which parts they are made of, built once."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from secrets import token_bytes
from typing import Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

from hub_ui.jobs.jobs import Jobs
from hub_ui.library.checks import LibraryChecks
from hub_ui.services import Services
from hub_ui.web.browse.cards import HeaderReader
from hub_ui.web.browse.routes import BrowseParts, BrowseRoutes
from hub_ui.web.downloads.drawer import DrawerParts
from hub_ui.web.downloads.routes import DownloadRoutes
from hub_ui.web.health import HealthRoutes
from hub_ui.web.history.routes import HistoryRoutes
from hub_ui.web.images import GeneratedImages, HubImages, LocalImages
from hub_ui.web.layout.pages import STATIC, STATIC_PATH, LayoutRoutes, Pages, StaticPages
from hub_ui.web.layout.render import Renderer
from hub_ui.web.library.routes import LibraryParts, LibraryRoutes
from hub_ui.web.lora.panel import Panel
from hub_ui.web.lora.routes import LoraRoutes
from hub_ui.web.news.routes import NewsRoutes
from hub_ui.web.settings.routes import SettingsRoutes
from hub_ui.web.streams import JobRoutes, Streams
from hub_ui.web.train.routes import build_train
from hub_ui.web.try_page.generate import Generator, TryParts
from hub_ui.web.try_page.routes import DroppedRoutes, TryRoutes
from hub_ui.web.uploads import UploadedFiles, UploadRoutes, Uploads
from hub_ui.web.view import PageName, View
from hub_ui.web.visit.routes import VisitRoutes


class Room(Protocol):
    def router(self) -> APIRouter: ...


def build_routes(services: Services, closing: ExitStack, jobs: Jobs, folder: Path) -> Sequence[BaseRoute]:
    """`folder` has generated images and uploads. What has to be closed goes into `closing`."""
    render, streams = Renderer(), Streams()
    pages = Pages(services=services, render=render)
    panel = Panel(services=services, render=render)
    reader = HeaderReader(services=services)
    closing.callback(reader.close)
    drawer = DrawerParts(services=services)
    library_parts = LibraryParts(services=services, render=render, checks=build_checks(services))
    library = LibraryRoutes(pages=pages, parts=library_parts, drawer=drawer, streams=streams)
    visits = [VisitRoutes(pages=pages, downloads=services.visitor_downloads)] if services.visitor_downloads else []
    images = GeneratedImages(folder=folder)
    files = UploadedFiles(folder=folder, pixels=services.policy.limits.pixels)
    history = HistoryRoutes(pages=pages)
    generator = Generator(services=services, jobs=jobs, images=images)
    making = TryParts(services=services, generator=generator, uploaded=files.path, history=history.html)
    compare = TryRoutes(pages=pages, parts=making)
    others: dict[PageName, Callable[[Request, View], Response]] = {
        "library": visits[0].answer if visits else library.answer,
        "try": compare.answer,
    }
    train = build_train(pages, jobs, closing)
    parts = BrowseParts(services=services, secret=token_bytes(32))
    news = NewsRoutes(pages=pages, streams=streams)
    rooms: tuple[Room, ...] = (
        BrowseRoutes(pages=pages, parts=parts, panel=panel, reader=reader, streams=streams, news=news, others=others),
        news,
        LoraRoutes(pages=pages, panel=panel, streams=streams),
        library,
        *visits,
        DownloadRoutes(pages=pages, parts=drawer, streams=streams),
        compare,
        JobRoutes(pages=pages, jobs=jobs, streams=streams, painters={"generation": compare, "training": train}),
        history,
        *upload_routes(services, pages, files),
        train,
        SettingsRoutes(pages=pages),
        LayoutRoutes(pages=pages),
    )
    return [
        Mount(STATIC_PATH, StaticPages(directory=STATIC)),
        *image_routes(services, render, images, closing),
        *HealthRoutes(services=services, running=lambda: jobs.running("generation")).routes(),
        *(route for room in rooms for route in room.router().routes),
    ]


def upload_routes(services: Services, pages: Pages, files: UploadedFiles) -> tuple[UploadRoutes, DroppedRoutes]:
    """Files that people give to the page, and what is done with images among them."""
    limits = services.policy.limits
    uploads = Uploads(files.folder, limits, lambda size: services.quotas.spend("uploads", size))
    dropped = DroppedRoutes(pages=pages, files=files)
    return UploadRoutes(pages=pages, files=files, uploads=uploads, answers=dropped.answers), dropped


def image_routes(services: Services, render: Renderer, images: GeneratedImages, closing: ExitStack) -> list[BaseRoute]:
    """Of the hubs' images, those beside the library's files, and the generated ones."""
    hub_images = HubImages(links=render.links, store=services.media, destinations=services.settings.image_destinations)
    closing.callback(hub_images.close)
    local_images = LocalImages(links=render.links)
    closing.callback(local_images.close)
    return [*hub_images.routes(), local_images.route(), images.route()]


def build_checks(services: Services) -> LibraryChecks:
    return LibraryChecks(services.downloads, services.update_rules)
