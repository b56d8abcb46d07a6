"""The app: one gradio.Server with our pages and the endpoints for programs, and what stands before them."""

import ctypes
import gc
import io
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.oauth import attach_oauth
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

from connectors.errors import HubUiError
from hub_ui.app.jobs import Jobs
from hub_ui.app.services import Services
from hub_ui.base.i18n import N_, _
from hub_ui.web import middleware
from hub_ui.web.api import Endpoints, add_endpoints, describe_endpoints, read_call
from hub_ui.web.layout.render import Renderer
from hub_ui.web.requests import CallCheck, Calls, Refused, RequestCheck, own_parts
from hub_ui.web.server import Connections, gradio_settings, patient_launch, raise_file_limit
from hub_ui.web.site import build_routes
from hub_ui.web.visitors import AddressCheck, VisitorCookie, read_address

# Most handlers wait for a hub, a download or a generation, which would soon use up Gradio's usual 40 threads.
MOST_HANDLERS = 400
# Sessions of clients of the named endpoints.
MOST_SESSIONS = 1000
ENDED = N_("hub-ui was stopped before this was done. Start it again in a minute.")
# So that pages and programs get that sentence, or their images.
LAST_WORD_SECONDS = 5.0
LAUNCH: dict[str, Any] = {
    "prevent_thread_lock": True, "quiet": True, "show_error": False, "run_history": False, "footer_links": [],
    "ssr_mode": False, "pwa": False, "_frontend": False, "max_threads": MOST_HANDLERS,
    "state_session_capacity": MOST_SESSIONS,
}  # fmt: skip
# One garbage collection in so many, of those that look at older objects, looks at all of them. Python has 10.
WHOLE_COLLECTION = 200
# Images and videos, which are small as they are, streams, whose steps come at once, and LoRA files, whose size is told.
UNCOMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream")
# See mallopt(3).
_M_ARENA_MAX = -8
_MOST_ARENAS = 2


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
        app = build_app(services, closing, host=host, folder=folder, agents=agents)
        # Gradio announces its MCP server with signs that some consoles can not print.
        with redirect_stdout(io.StringIO()), patient_launch(bound_connections(services)):
            _, url, _ = app.server.launch(
                server_name=host,
                server_port=port or None,
                inbrowser=open_browser,
                **LAUNCH,
                mcp_server=agents,
                max_file_size=services.policy.limits.upload_bytes,
            )
        # What is there by now stays: to look through it for garbage would hold up every page for half a second. What
        # comes with the first image is looked through seldom.
        gc.freeze()
        closing.callback(gc.unfreeze)
        young, middle, old = gc.get_threshold()
        gc.set_threshold(young, middle, WHOLE_COLLECTION)
        closing.callback(gc.set_threshold, young, middle, old)
        closing.callback(app.server.get_blocks().close, verbose=False)
        closing.callback(finish_work, services, app)
        describe_endpoints(app.server, app.endpoints)
        waiting = services.metrics.waiting
        waiting.labels("generations").set_function(lambda: app.jobs.running("generation"))
        waiting.labels("downloads").set_function(lambda: sum(not task.rests for task in services.queue.tasks()))
        yield url


@dataclass(frozen=True, kw_only=True)
class App:
    """`calls` are those of the `endpoints`."""

    server: gr.Server
    endpoints: Endpoints
    calls: Calls
    jobs: Jobs


def build_app(services: Services, closing: ExitStack, *, host: str, folder: Path, agents: bool = False) -> App:
    jobs, calls = start_jobs(services), Calls(services.policy.limits)
    closing.callback(jobs.close)
    endpoints = Endpoints(services, jobs, calls, folder)
    routes = build_routes(services, closing, jobs, folder)
    checks = build_checks(services, host=host, own=own_parts(routes), agents=agents)
    read, names = partial(read_call, endpoints.by_name), tuple(endpoints.by_name)
    calls_check = Middleware(CallCheck, calls=calls, endpoints=names, read_call=read, check_room=jobs.check_room)
    unknown = dict.fromkeys((404, 405), refuse_unknown)
    server = gr.Server(
        middleware=[*checks, calls_check], exception_handlers=unknown, openapi_url=None, docs_url=None, redoc_url=None
    )
    server.router.routes[:0] = routes
    server.state.jobs = jobs
    add_endpoints(server, endpoints)
    if services.settings.sign_in:
        attach_oauth(server)
    return App(server=server, endpoints=endpoints, calls=calls, jobs=jobs)


async def refuse_unknown(_request: Request, error: Exception) -> Response:
    """What no route answers is said on a page to people, as other refusals are, and not in the words of a router."""
    status, detail = getattr(error, "status_code", 404), str(getattr(error, "detail", ""))
    is_routers = detail in (HTTPStatus(404).phrase, HTTPStatus(405).phrase)
    raise Refused(_("There is no such page.") if is_routers else detail, status) from error


def start_jobs(services: Services) -> Jobs:
    limits = services.settings.limits
    return Jobs(
        hosted=services.settings.hosted, most=limits.queue, own=limits.own_queue, people=limits.people_per_address,
        check=services.lifecycle.check,
    )  # fmt: skip


def finish_work(services: Services, app: App) -> None:
    """What runs gets the time of a stop. Then downloads wait for the next start, and who follows hears of the rest."""
    services.queue.hold()
    # A training goes on at its hub.
    were_running = app.jobs.running("generation")
    services.lifecycle.wait_for(lambda: not app.jobs.running("generation") and not services.queue.running)
    app.jobs.end(ENDED)
    until = time.monotonic() + (LAST_WORD_SECONDS if were_running else 0)
    while app.calls.are_read() and time.monotonic() < until:
        time.sleep(0.05)


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


def build_checks(services: Services, *, host: str, own: Collection[str], agents: bool) -> list[Middleware]:
    """What stands between the network and the pages, the outermost first."""
    hosted, named = services.settings.hosted, services.settings.allowed_hosts
    checks = [
        Middleware(middleware.SecurityHeaders, frames=services.policy.frames),
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5, exclude_content_types=UNCOMPRESSED),
        Middleware(middleware.RequestContext),
        Middleware(middleware.Refusals, render=Renderer()),
        # A hosted page answers to every name until its owner names some. A Space is a frame of Hugging Face's page:
        # which sites may have one, the headers say.
        Middleware(
            middleware.HostCheck,
            names=named,
            own=middleware.own_names() | {host.lower()},
            every=hosted and not named,
            frames=hosted,
        ),
    ]
    if hosted:
        most = services.settings.limits.connections_per_address
        checks += [Middleware(VisitorCookie, visitors=services.visitors), Middleware(AddressCheck, most=most)]
    limits = services.policy.limits
    return [*checks, Middleware(RequestCheck, own=own, limits=limits, agents=agents)]


def limit_arenas() -> bool:
    """Whether this system has arenas of malloc to limit: glibc by default has eight for each core and gives little of
    them back. Images are made in threads of their own, so that a page which made a hundred took 310 MB more without the
    limit, and went on to grow.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, _MOST_ARENAS))
