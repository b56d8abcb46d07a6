"""The app: one gradio.Server with our pages, the endpoints for programs, and what stands between them and the network."""

import io
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from secrets import token_bytes
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from connectors.errors import HubUiError
from hub_ui.arenas import limit_arenas
from hub_ui.hosting.address import read_address
from hub_ui.services import Services
from hub_ui.web.browse.header_reader import HeaderReader
from hub_ui.web.browse.parts import BrowseParts
from hub_ui.web.browse.routes import BrowseRoutes
from hub_ui.web.frame.pages import STATIC, STATIC_PATH, Pages, StaticPages
from hub_ui.web.headers import SecurityHeaders
from hub_ui.web.health import HealthRoutes
from hub_ui.web.history.routes import HistoryRoutes
from hub_ui.web.images import GeneratedImages, HubImages
from hub_ui.web.local_images import LocalImages
from hub_ui.web.lora.examples import ExampleRoutes
from hub_ui.web.lora.panel import Panel
from hub_ui.web.lora.routes import LoraRoutes
from hub_ui.web.middleware import AllowedHosts, HostCheck, RequestLanguage, own_names
from hub_ui.web.request_log import RequestLog
from hub_ui.web.server import Connections, patient_launch, raise_file_limit
from hub_ui.web.streams import Streams
from hub_ui.web.try_page.dropped_routes import DroppedRoutes
from hub_ui.web.try_page.form_images import CONTROL, START, ImageFiles
from hub_ui.web.upload_files import UploadedFiles, UploadRoutes
from hub_ui.web.uploads import Uploads
from hub_ui.web.visitors import AddressCheck, VisitorCookie
from hub_ui.widgets.blocks import gradio_settings
from hub_ui.widgets.render import Renderer

# Most handlers wait for a hub, a download or a generation, which would soon use up Gradio's usual 40 threads.
MOST_HANDLERS = 400
LAUNCH: dict[str, Any] = {
    "prevent_thread_lock": True, "quiet": True, "show_error": False, "run_history": False, "footer_links": [],
    "ssr_mode": False, "pwa": False, "_frontend": False, "max_threads": MOST_HANDLERS,
}  # fmt: skip


@contextmanager
def serving(
    services: Services,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = False,
    agents: bool = False,
) -> Iterator[str]:
    """Serves the page until the block ends; yields its address. `port` None or 0 takes a free one from 7860 on.

    `agents`: whether the named endpoints are an MCP server too, which needs Gradio's extra.
    """
    limit_arenas()
    with gradio_settings() as folder, ExitStack() as closing:
        services.queue.start()
        closing.callback(services.queue.stop)
        threading.Thread(target=read_library, args=(services,), name="library", daemon=True).start()
        server = build_server(services, closing, host=host, folder=folder)
        # Gradio announces its MCP server with signs that some consoles can not print.
        with redirect_stdout(io.StringIO()), patient_launch(bound_connections(services)):
            _, url, _ = server.launch(
                server_name=host,
                server_port=port or None,
                inbrowser=open_browser,
                **LAUNCH,
                mcp_server=agents,
                max_file_size=services.policy.limits.upload_bytes,
            )
        closing.callback(server.get_blocks().close, verbose=False)
        yield url


def build_server(services: Services, closing: ExitStack, *, host: str, folder: Path) -> gr.Server:
    """The routes of each page, and what stands before them."""
    server = gr.Server(middleware=build_checks(services, host=host), openapi_url=None, docs_url=None, redoc_url=None)
    render, streams = Renderer(), Streams()
    pages = Pages(services=services, render=render)
    panel = Panel(services=services, render=render)
    reader = HeaderReader(services=services)
    closing.callback(reader.close)
    parts = BrowseParts(services=services, secret=token_bytes(32))
    browse = BrowseRoutes(pages=pages, parts=parts, panel=panel, reader=reader, streams=streams)
    lora = LoraRoutes(pages=pages, panel=panel, streams=streams)
    files = UploadedFiles(folder=folder, pixels=services.policy.limits.pixels)
    uploads = upload_routes(pages, files)
    history = HistoryRoutes(pages=pages)
    for routes in (browse, lora, *uploads, history, ExampleRoutes(pages=pages)):
        server.include_router(routes.router())
    server.router.routes[:0] = [
        Mount(STATIC_PATH, StaticPages(directory=STATIC)),
        *image_routes(services, render, folder, closing),
        *HealthRoutes(services=services, running=lambda: 0).routes(),
    ]
    return server


def upload_routes(pages: Pages, files: UploadedFiles) -> tuple[UploadRoutes, DroppedRoutes]:
    """Files that people give to the page, and what is done with images among them."""
    services = pages.services
    uploads = Uploads(files.folder, services.policy.limits, lambda size: services.quotas.spend("uploads", size))
    images, dropped = ImageFiles(pages=pages, files=files), DroppedRoutes(pages=pages, files=files)
    answers = {"file": dropped.answer, START: images.answer_start, CONTROL: images.answer_control}
    return UploadRoutes(pages=pages, files=files, uploads=uploads, answers=answers), dropped


def read_library(services: Services) -> None:
    """A library of thousands takes a second, which nobody should wait for on its page. What is wrong is said there."""
    with suppress(HubUiError):
        services.library_index.rows()
        services.uses.latest()


def bound_connections(services: Services) -> Connections:
    """Behind a proxy that is trusted, what counts is who it says that asks (see AddressCheck)."""
    settings = services.settings
    return Connections(
        files=raise_file_limit(),
        at_address=settings.limits.connections_per_address,
        address_of=lambda peer: "" if settings.trusts_proxy else read_address({}, peer, trusts_proxy=False),
    )


def build_checks(services: Services, *, host: str) -> list[Middleware]:
    """What stands between the network and the pages, the outermost first."""
    hosted = services.settings.hosted
    checks = [
        Middleware(SecurityHeaders, frames=services.policy.frames),
        Middleware(RequestLog),
        # A Space is a frame of Hugging Face's page. Which sites may have one, the headers say.
        Middleware(HostCheck, hosts=allowed_hosts(services, host), frames=hosted),
    ]
    if hosted:
        most = services.settings.limits.connections_per_address
        checks += [Middleware(VisitorCookie, visitors=services.visitors), Middleware(AddressCheck, most=most)]
    return [*checks, Middleware(RequestLanguage)]


def image_routes(services: Services, render: Renderer, folder: Path, closing: ExitStack) -> list[BaseRoute]:
    """Of the hubs' images, those beside the library's files, and the generated ones in `folder`."""
    hub_images = HubImages(links=render.links, store=services.media, destinations=services.settings.image_destinations)
    closing.callback(hub_images.close)
    local_images = LocalImages(links=render.links)
    closing.callback(local_images.close)
    return [*hub_images.routes(), local_images.route(), GeneratedImages(folder=folder).route()]


def allowed_hosts(services: Services, host: str) -> AllowedHosts:
    """A hosted page answers to every name until its owner names some."""
    named = services.settings.allowed_hosts
    every = services.settings.hosted and not named
    return AllowedHosts(names=named, own=own_names() | {host.lower()}, every=every)
