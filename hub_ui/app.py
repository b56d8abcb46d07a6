"""The page: a header, five pages, and the address bar that holds the view."""

import html
import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from connectors.errors import HubUiError, NotFound
from connectors.ref import Ref
from hub_ui import format
from hub_ui.api import add_endpoints, answer_agents_in_json, functions_of, read_call
from hub_ui.arenas import limit_arenas
from hub_ui.hosting.address import read_address
from hub_ui.i18n import N_, _, ngettext
from hub_ui.pages import settings, train, visit
from hub_ui.pages.browse import detail, page, saved_searches
from hub_ui.pages.browse.header_reader import HeaderReader
from hub_ui.pages.browse.results import Results
from hub_ui.pages.events import IN_ORDER, QUIET, Listeners, build_closed_page, errors_as_messages, list_closed_pages
from hub_ui.pages.library import bulk, downloads, own_file
from hub_ui.pages.library import page as library
from hub_ui.pages.try_page import dropped, history
from hub_ui.pages.try_page import page as try_page_page
from hub_ui.pages.try_page.generations import Generations
from hub_ui.pages.try_page.orders import Order
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.web.glossary import GlossaryPage
from hub_ui.web.headers import SecurityHeaders
from hub_ui.web.health import HealthRoutes
from hub_ui.web.images import GeneratedImages, HubImages
from hub_ui.web.local_images import LocalImages
from hub_ui.web.middleware import AllowedHosts, HostCheck, middleware, own_names
from hub_ui.web.request_log import RequestLog
from hub_ui.web.server import Connections, patient_launch, raise_file_limit
from hub_ui.web.sessions import OpenStreams, PlainSessions
from hub_ui.web.settings import SettingsRoutes
from hub_ui.web.visit import VisitRoutes
from hub_ui.web.visitors import AddressCheck, VisitorCookie, VisitorKeyRoutes
from hub_ui.widgets import drawer as widgets_drawer
from hub_ui.widgets import header as widgets_header
from hub_ui.widgets.blocks import TranslatedBlocks, gradio_settings
from hub_ui.widgets.render import Renderer, act_data, read_script, widget

_SHEETS = ("style.css", "browse.css", "detail.css", "library.css", "try.css")
STYLES = [Path(__file__).parent / "pages" / name for name in _SHEETS]
HEAD_SCRIPTS = ("event_stream", "theme", "arriving", "keyboard", "terms", "drop")
# Most handlers wait for a hub, a download or a generation, which would soon use up Gradio's usual 40 threads.
MOST_HANDLERS = 400
# A queued event costs memory.
MOST_WAITING = 2000
ENDED = N_("hub-ui was stopped before this was done. Start it again in a minute.")
# So that pages get that sentence, or their images.
LAST_WORD_SECONDS = 5.0
# Gradio's run history would keep what people type in their browser's storage. On a Space it would answer through Node,
# and offer the page as an app to install. It takes a page that does not answer within three seconds for one that can't
# be reached, and ends it (`_frontend`, 6.31), as a slow computer's first answer is.
LAUNCH: dict[str, Any] = {
    "prevent_thread_lock": True, "quiet": True, "show_error": False, "run_history": False, "footer_links": [],
    "ssr_mode": False, "pwa": False, "_frontend": False, "max_threads": MOST_HANDLERS,
}  # fmt: skip


class RunningEvents(dict[str, Any]):
    """Of an event that is cancelled while it ends, Gradio (6.31) deletes the iterator twice, and answers with a 500."""

    def __delitem__(self, event: str) -> None:
        self.pop(event, None)


class Header:
    """The components above every page."""

    def __init__(self, services: Services, render: Renderer, view: gr.State, order: gr.State) -> None:
        self.view, self.order, self.closed = view, order, list_closed_pages(services.policy)
        with gr.Row(elem_id="header"):
            self.nav = widget(
                lambda: widgets_header.nav_html(render, "browse", closed=self.closed),
                elem_id="nav",
                script=read_script("nav"),
            )
            button = partial(widgets_drawer.button_html, render, ()) if services.policy.allows("pull") else ""
            self.downloads = widget(button, elem_id="downloads", script=read_script("drawer"))
            self.search = gr.Textbox(
                label=N_("Search"),
                show_label=False,
                container=False,
                elem_id="search",
                placeholder=N_("Search LoRAs on three hubs"),
                max_lines=1,
            )
            self.completion = widget(elem_id="completion", script=read_script("completion"))
            self.hubs = widget(lambda: pending_html(services, render), elem_id="hubs", script=read_script("hubs"))
            self.address = gr.Textbox(visible="hidden", elem_id="address")


def pending_html(services: Services, render: Renderer) -> str:
    """The hubs' status before the first search."""
    statuses = [widgets_header.pending_status(connector.name) for connector in services.connectors]
    return widgets_header.hubs_html(render, statuses)


class Pages:
    """The components below the header. The pages that a shared page doesn't have are None."""

    def __init__(self, services: Services, render: Renderer, header: Header) -> None:
        policy, view = services.policy, header.view
        with gr.Row(elem_id="page-browse"):
            self.browse = page.BrowsePage(
                services, render, view=view, search=header.search, completion=header.completion, hubs=header.hubs
            )
            self.panel = detail.DetailPanel(view)
        with gr.Row(elem_id="page-try"):
            self.try_page = try_page_page.TryPage(render, view=view, order=header.order)
        with gr.Column(elem_id="page-library"):
            self.library = library.LibraryPage(view) if policy.allows("see library") else None
            self.visit = None if self.library else visit.VisitPage(view)
        with gr.Row(elem_id="page-train"):
            self.train = train.TrainPage(render, view) if policy.allows("train") else None
            if self.train is None:
                build_closed_page(render, "train")
        with gr.Column(elem_id="page-settings"):
            self.settings = settings.SettingsPage(services, render, view=view, level=self.browse.level)


def build_app(services: Services, reader: HeaderReader, render: Renderer, generations: Generations) -> gr.Blocks:
    """Components first, then events: every change goes through `view`, and every page updates from it."""
    visitors = services.visitors if services.settings.hosted else None
    sign_in = services.settings.sign_in
    app = TranslatedBlocks(title="hub-ui", fill_width=True, analytics_enabled=False, visitors=visitors, sign_in=sign_in)
    # Gradio would put Hugging Face's header on the page of a Space, which loads fonts from a third host.
    app.space_id = None
    with app:
        # Empty until the address is read: an unchanged value would not fire `change`.
        header = Header(services, render, gr.State(None), gr.State(None))
        drawer = downloads.Downloads(header.downloads)
        pages = Pages(services, render, header)
        try_page, panel = pages.try_page, pages.panel.panel

        # The page that opens first of all: Gradio (6.31) starts events in the order in which they are made, and those
        # of one click follow each other.
        connect_view(header, render, pages.browse)
        connect_clicks(header, pages, drawer, services)
        connect_listeners(header, pages, drawer, services, render)
        if pages.library is not None:
            bulk.connect(pages.library, drawer, services, render)
            own_file.connect(pages.library.own_file, drawer, services, render)
        page.connect(pages.browse, services, render, reader)
        detail.connect(pages.panel, drawer, services, render)
        try_page_page.connect(try_page, drawer, services, render, generations)
        dropped.connect(try_page, services, render)
        detail.connect_examples(panel, try_page, services, render)
        downloads.connect(app, drawer, services, render, view=header.view, line=pages.panel.download)
        # The id of this tab's generation before a reload comes from the browser's own storage.
        inputs = [try_page.generation, pages.browse.level]
        outputs = [header.view, header.order, header.address]
        loaded = app.load(load_view, inputs, outputs, js=try_page_page.READ_GENERATION, **QUIET)
        # Before the first click, which is a step of its own in the browser's history.
        loaded.then(None, [header.address], None, js=read_script("write_address"))
        add_endpoints(app, services, generations)
        # At each step of an event, Gradio (6.31) copies all components that were an output of any event so far, to show
        # progress on them, even if it is hidden. That was a quarter of the work of a page that loads.
        nowhere = gr.State(None)
        for event in app.fns.values():
            event.show_progress_on = [nowhere]
    return app


def connect_listeners(
    header: Header, pages: Pages, drawer: downloads.Downloads, services: Services, render: Renderer
) -> None:
    """The parts that are updated by one event, since at most one of them at a time has much to do."""
    listeners = Listeners()
    if pages.library is not None:
        library.connect(pages.library, drawer, services, render, listeners, address=header.address)
    if pages.visit is not None and services.visitor_downloads is not None:
        visit.connect(pages.visit, services.visitor_downloads, render, listeners)
    if services.policy.allows("keep history"):
        history.connect(pages.try_page, services, render)
    if pages.train is not None:
        train.connect(pages.train, services, render, listeners)
    settings.connect(pages.settings, services, render, listeners)
    saved_searches.connect(pages.browse.saved, render, listeners, view=header.view, search=header.search)
    listeners.connect(header.view.change)


def connect_view(header: Header, render: Renderer, browse: page.BrowsePage) -> None:
    shown = gr.State(None)

    def on_view(now: View, last: View | None) -> Any:
        # The nav also says which page stands open (widgets/templates/nav.html), and which LoRAs the Try page has to
        # have before it is shown. On the page itself nothing goes away that a person looks at.
        nav = widgets_header.nav_html(
            render, now.page, stacked=len(now.stack), closed=header.closed, stack=now.stack_name,
            awaited=now.page == "try" and (last is None or last.page != "try"),
        )  # fmt: skip
        return nav, search_text(now, last), now.query.sort, now.to_address(), now

    outputs = [header.nav, header.search, browse.sort, header.address, shown]
    changed = header.view.change(on_view, [header.view, shown], outputs, **QUIET)
    changed.then(None, [header.address], None, js=read_script("write_address"))


def search_text(view: View, last: View | None) -> Any:
    """The search box's text. Where it has not changed, what is typed meanwhile stays."""
    before = (last.text, last.page, last.visit) if last else ("", view.page, view.visit)
    return gr.skip() if (view.text, view.page, view.visit) == before else view.text


def connect_clicks(header: Header, pages: Pages, drawer: downloads.Downloads, services: Services) -> None:
    def on_click(view: View | None, shown: Results | None, asked: int, event: gr.EventData) -> tuple[Any, ...]:
        with errors_as_messages():
            # There is no view yet if somebody clicks before the address is read.
            now, act = view or View(), act_data(event)
            if shown is not None and shown.is_typed:
                # Who opens a LoRA of the list that came while typing means that query.
                now = replace(now, query=shown.query)
            if act.get("act") == "stack":
                gr.Info(stack_message(services, now, Ref.parse(str(act.get("ref", "")))), duration=6)
            then, order = apply_click(now, act, services.generation.default_weight)
            return then, asked + 1 if isinstance(order, Order) and then == view else gr.skip(), order

    clickable = [
        header.nav, header.hubs, pages.browse.grid, pages.panel.panel, drawer.drawer, pages.try_page.dropped,
    ]  # fmt: skip
    if pages.visit is not None:
        clickable.append(pages.visit.list)
    if pages.train is not None:
        clickable.append(pages.train.progress)
    asked = pages.try_page.asked
    inputs, outputs = [header.view, pages.browse.results, asked], [header.view, asked, header.order]
    for component in clickable:
        component.act(on_click, inputs, outputs, **IN_ORDER)


def load_view(generation: str, level: object, request: gr.Request) -> tuple[View, Any, str]:
    """The view, an Order to resume the generation, and the address. `level` of mature images is what this browser chose
    before; an address that names one has its way.
    """
    view = View.from_address(str(request.url.query) if request else "", level)
    return view, Order(resumes=generation) if generation else gr.skip(), view.to_address()


def apply_click(view: View, act: dict[str, Any], usual: Callable[[Ref], float] = lambda _ref: 1.0) -> tuple[Any, Any]:
    """The view after a click in the frame, and an Order of images. `usual` gives a LoRA's own weight."""
    name = act.get("act")
    if name == "go":
        return replace(view, page=View.from_address(f"view={act.get('page', '')}").page, open=""), gr.skip()
    if name == "address":
        then = View.from_address(str(act.get("query", "")).removeprefix("?"))
        return replace(then, visit=view.visit + 1), gr.skip()
    if name == "close":
        return replace(view, open=""), gr.skip()
    if name == "search":
        return view.search(str(act.get("query", ""))), gr.skip()
    if name not in ("open", "try", "stack"):
        return gr.skip(), gr.skip()
    ref = Ref.parse(str(act.get("ref", "")))
    if name == "open":
        return replace(view, page="browse", open=str(ref)), gr.skip()
    if name == "try":
        tried = view.try_lora(str(ref), usual(ref))
        return tried, Order.of(tried)
    return view.with_lora(str(ref), usual(ref)), gr.skip()


def stack_message(services: Services, view: View, ref: Ref) -> str:
    """What "+ Stack" does, as HTML for Gradio's message. `view` is how it was before."""
    try:
        title = format.title(services.catalog.lora(ref.lora).title)
    except NotFound:
        title = ref.id
    others = len(view.without_lora(str(ref)).stack)
    text = _("“{title}” is on the Try page now.")
    if others:
        text = ngettext(
            "“{title}” is on the Try page now, beside {others} other.",
            "“{title}” is on the Try page now, beside {others} others.",
            others,
        )
    return text.format(title=html.escape(title), others=others)


def theme() -> gr.themes.Base:
    names = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
    mono = [gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")]
    return gr.themes.Base(font=[gr.themes.Font(name) for name in names], font_mono=mono)


def read_library(services: Services) -> None:
    """A library of thousands takes a second, which nobody should wait for on its page. What is wrong is said there."""
    with suppress(HubUiError):
        services.library_index.rows()
        services.uses.latest()


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
        reader = HeaderReader(services=services)
        closing.callback(reader.close)
        services.queue.start()
        closing.callback(services.queue.stop)
        threading.Thread(target=read_library, args=(services,), name="library", daemon=True).start()
        render = Renderer()
        streams = OpenStreams()
        generations = build_generations(services, streams)
        closing.callback(generations.close)
        app = build_app(services, reader, render, generations)
        head = [read_script(name) for name in HEAD_SCRIPTS]
        checks = build_checks(services, app, generations, streams, head, host=host, folder=folder, agents=agents)
        routes = [*image_routes(services, render, folder, closing), *page_routes(services, render, generations)]
        watch_queues(services, generations)
        # Gradio announces its MCP server with signs that some consoles can not print.
        with redirect_stdout(io.StringIO()), patient_launch(bound_connections(services)):
            _, url, _ = app.launch(
                server_name=host,
                server_port=port or None,
                inbrowser=open_browser,
                **LAUNCH,
                theme=theme(),
                css_paths=STYLES,
                head="".join(f"<script>{script}</script>" for script in head),
                mcp_server=agents,
                max_file_size=services.policy.limits.upload_bytes,
                app_kwargs={"middleware": checks, "routes": routes},
            )
        closing.callback(app.close, verbose=False)
        closing.callback(finish_work, services, generations, app)
        app.server_app.iterators = RunningEvents()
        app.server_app.state_holder = PlainSessions(app)
        answer_agents_in_json(app)
        yield url


def build_generations(services: Services, streams: OpenStreams) -> Generations:
    limits = services.settings.limits
    return Generations(
        hosted=services.settings.hosted, most=limits.queue, own=limits.own_queue, people=limits.people_per_address,
        is_read=streams.is_read, check=services.lifecycle.check,
    )  # fmt: skip


def bound_connections(services: Services) -> Connections:
    """Behind a proxy that is trusted, what counts is who it says that asks (see AddressCheck)."""
    settings = services.settings
    return Connections(
        files=raise_file_limit(),
        at_address=settings.limits.connections_per_address,
        address_of=lambda peer: "" if settings.trusts_proxy else read_address({}, peer, trusts_proxy=False),
    )


def build_checks(
    services: Services,
    app: gr.Blocks,
    generations: Generations,
    streams: OpenStreams,
    head: Sequence[str],
    *,
    host: str,
    folder: Path,
    agents: bool,
) -> list[Middleware]:
    """What stands between the network and the page, the outermost first. `head` are the page's own scripts."""
    # A new queue, which is the one that runs, and that the checks poll and count.
    app.queue(default_concurrency_limit=8, max_size=MOST_WAITING)
    checks = middleware(
        app, limits=services.policy.limits, folder=folder, generations=generations, streams=streams, agents=agents,
        spend=lambda size: services.quotas.spend("uploads", size), read_call=partial(read_call, functions_of(app)),
    )  # fmt: skip
    hosted = services.settings.hosted
    if hosted:
        most = services.settings.limits.connections_per_address
        checks[:0] = [Middleware(VisitorCookie, visitors=services.visitors), Middleware(AddressCheck, most=most)]
    headers = Middleware(SecurityHeaders, frames=services.policy.frames, scripts=head)
    # A Space is a frame of Hugging Face's page. Which sites may have one, the headers say.
    hosts = Middleware(HostCheck, hosts=allowed_hosts(services, host), frames=hosted)
    return [headers, Middleware(RequestLog), hosts, *checks]


def page_routes(services: Services, render: Renderer, generations: Generations) -> list[BaseRoute]:
    """Beside the page and its images."""
    downloads = services.visitor_downloads
    visit = VisitRoutes(downloads=downloads, render=render).routes() if downloads is not None else []
    health = HealthRoutes(services=services, running=generations.running).routes()
    return [GlossaryPage(render=render).route(), *settings_routes(services).routes(), *health, *visit]


def settings_routes(services: Services) -> SettingsRoutes:
    if services.policy.allows("use keys"):
        return SettingsRoutes(settings=services.settings)
    return VisitorKeyRoutes(settings=services.settings, quotas=services.quotas)


def watch_queues(services: Services, generations: Generations) -> None:
    services.metrics.watch_queue("generations", generations.running)
    services.metrics.watch_queue("downloads", lambda: sum(not task.rests for task in services.queue.tasks()))


def finish_work(services: Services, generations: Generations, app: gr.Blocks) -> None:
    """What runs gets the time of a stop. Then downloads wait for the next start, and pages hear of the rest."""
    services.queue.hold()
    were_running = generations.running()
    services.lifecycle.wait_for(lambda: not generations.running() and not services.queue.running)
    generations.end(ENDED)
    until = time.monotonic() + (LAST_WORD_SECONDS if were_running else 0)
    # Gradio (6.31) has no public name for unanswered requests.
    while any(app._queue.pending_event_ids_session.values()) and time.monotonic() < until:
        time.sleep(0.05)


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
