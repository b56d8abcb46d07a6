"""The app: a gradio.Server with our pages, the endpoints for programs, and the middleware before them."""

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

# Most handlers wait for a hub, a download or a generation, and would soon use up Gradio's default of 40 threads.
MOST_HANDLERS = 400
# Sessions of clients of the named endpoints.
MOST_SESSIONS = 1000
ENDED = N_("hub-ui was stopped before this was done. Start it again in a minute.")
# Gives pages and programs time to receive ENDED or their images.
LAST_WORD_SECONDS = 5.0
LAUNCH: dict[str, Any] = {
    "prevent_thread_lock": True, "quiet": True, "show_error": False, "run_history": False, "footer_links": [],
    "ssr_mode": False, "pwa": False, "_frontend": False, "max_threads": MOST_HANDLERS,
    "state_session_capacity": MOST_SESSIONS,
}  # fmt: skip
# The third threshold of Python's garbage collector: the number of middle collections per full one. The default is 10.
WHOLE_COLLECTION = 200
# Images and videos are compressed already, streams must not be buffered, and LoRA files must keep their content length.
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
    """Serve the page until the block ends, and yield its address.

    Without a `port`, take the first free one from 7860 on. `agents` also serves the endpoints by MCP, which needs
    gradio[mcp].
    """
    limit_arenas()
    with gradio_settings() as folder, ExitStack() as closing:
        services.queue.start()
        closing.callback(services.queue.stop)
        threading.Thread(target=read_library, args=(services,), name="library", daemon=True).start()
        app = build_app(services, closing, host=host, folder=folder, agents=agents)
        # Hide Gradio's announcement of its MCP server: some consoles can't print its emoji.
        with redirect_stdout(io.StringIO()), patient_launch(bound_connections(services)):
            _, url, _ = app.server.launch(
                server_name=host,
                server_port=port or None,
                inbrowser=open_browser,
                **LAUNCH,
                mcp_server=agents,
                max_file_size=services.policy.limits.upload_bytes,
            )
        # Objects created so far live until the end, so freeze them: to traverse them pauses every page for half a
        # second. Rare full collections do the same for the objects that the first image adds (torch, diffusers).
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
    """The server and its parts. `calls` tracks the running calls of `endpoints`."""

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
    """Raise Refused for errors 404 and 405, so that people get a page and not Starlette's plain "Not Found"."""
    status, detail = getattr(error, "status_code", 404), str(getattr(error, "detail", ""))
    is_starlettes = detail in (HTTPStatus(404).phrase, HTTPStatus(405).phrase)
    raise Refused(_("There is no such page.") if is_starlettes else detail, status) from error


def start_jobs(services: Services) -> Jobs:
    limits = services.settings.limits
    return Jobs(
        hosted=services.settings.hosted, most=limits.queue, own=limits.own_queue, people=limits.people_per_address,
        check=services.lifecycle.check,
    )  # fmt: skip


def finish_work(services: Services, app: App) -> None:
    """Wait for running jobs up to the time limit of a stop, then end the rest and notify their followers.

    Unfinished downloads resume at the next start.
    """
    services.queue.hold()
    # Don't wait for trainings, which continue at their hub.
    were_running = app.jobs.running("generation")
    services.lifecycle.wait_for(lambda: not app.jobs.running("generation") and not services.queue.running)
    app.jobs.end(ENDED)
    until = time.monotonic() + (LAST_WORD_SECONDS if were_running else 0)
    while app.calls.are_read() and time.monotonic() < until:
        time.sleep(0.05)


def read_library(services: Services) -> None:
    """Fill the caches of the library's page, because reading thousands of files takes a second.

    Ignore errors: the page shows them.
    """
    with suppress(HubUiError):
        services.library_index.rows()
        services.uses.latest()


def bound_connections(services: Services) -> Connections:
    """Return the limits of open connections.

    Connections have no limit per address behind a trusted proxy. AddressCheck limits requests instead, because it reads
    the visitor's address from the proxy's header.
    """
    settings = services.settings
    return Connections(
        files=raise_file_limit(),
        at_address=settings.limits.connections_per_address,
        address_of=lambda peer: "" if settings.trusts_proxy else read_address({}, peer, trusts_proxy=False),
    )


def build_checks(services: Services, *, host: str, own: Collection[str], agents: bool) -> list[Middleware]:
    """Return the middleware between the network and the pages, the outermost first."""
    hosted, named = services.settings.hosted, services.settings.allowed_hosts
    checks = [
        Middleware(middleware.SecurityHeaders, frames=services.policy.frames),
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5, exclude_content_types=UNCOMPRESSED),
        Middleware(middleware.RequestContext),
        Middleware(middleware.Refusals, render=Renderer()),
        # A hosted page accepts every host name until its owner configures some. It also accepts requests from frames,
        # because a Space is a frame of huggingface.co. SecurityHeaders limits which sites may embed the page.
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
    """Limit malloc to two arenas, and return whether this system supports that (glibc does).

    The default of glibc is eight arenas per core, which return little memory. Images are generated in many threads:
    after a hundred images, a server without the limit took 310 MB more, and its memory grew further.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, _MOST_ARENAS))
