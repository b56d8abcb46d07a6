"""The page: a frame with a header, four pages in it, and the address bar that holds the view."""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from connectors.errors import NotFound
from connectors.ref import Ref
from hub_ui.pages import events, settings, train
from hub_ui.pages.browse import detail, examples, page
from hub_ui.pages.browse.header_reader import HeaderReader
from hub_ui.pages.events import QUIET, told
from hub_ui.pages.library import downloads
from hub_ui.pages.library import page as library_page
from hub_ui.pages.try_page import history
from hub_ui.pages.try_page import page as try_page_page
from hub_ui.pages.try_page.generations import Generations
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.web.hosts import Hosts
from hub_ui.web.hub_images import HubImages, host_of
from hub_ui.web.images import Images
from hub_ui.web.middleware import middleware
from hub_ui.widgets import format, header
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, script, widget

STYLES = [Path(__file__).parent / "pages" / name for name in ("style.css", "try.css")]
# The theme is kept in the address by Gradio (?__theme=dark); the view must not wipe it.
WRITE_ADDRESS = """(address) => {
  const next = new URLSearchParams(address);
  const theme = new URLSearchParams(location.search).get('__theme');
  if (theme) { next.set('__theme', theme); }
  const query = next.toString();
  const now = new URLSearchParams(location.search).toString();
  if (query !== now) {
    const method = window.hubUiSeen ? 'pushState' : 'replaceState';
    history[method](history.state, '', query ? '?' + query : location.pathname);
  }
  window.hubUiSeen = true;
}"""


# Handlers that run at once, for all pages. Most of them wait for a hub, a download or a generation, which would soon
# have taken all of Gradio's usual 40.
MOST_HANDLERS = 400
# And those that wait for their turn, which costs memory.
MOST_WAITING = 2000


def build_app(services: Services, reader: HeaderReader, render: Renderer, generations: Generations) -> gr.Blocks:
    """Components first, then events: every change goes through `view`, and every page repaints from it."""
    policy = services.policy

    def on_click(now: View, event: gr.EventData) -> tuple[Any, Any]:
        with told():
            act = act_data(event)
            if act.get("act") == "stack":
                gr.Info(stacked_html(services, now, Ref.parse(str(act.get("ref", "")))), duration=6)
            return clicked(now, act, services.usual_weight)

    app = gr.Blocks(title="hub-ui", fill_width=True, analytics_enabled=False)
    with app:
        # Empty until the address is read: an unchanged value would not fire `change`.
        view, order = gr.State(None), gr.State(False)
        nav, button, box, hubs, address = _header(render, services)
        coming = downloads.build(button)
        with gr.Row(elem_id="page-browse"):
            browsing = page.build(services, render)
            panel, pulling = detail.build()
        with gr.Row(elem_id="page-try"):
            try_page = try_page_page.build(render)
        with gr.Column(elem_id="page-library"):
            shelf = library_page.build() if policy.allows("see library") else None
            if shelf is None:
                events.build(render, "see library")
        with gr.Row(elem_id="page-train"):
            train_page = train.build(render) if policy.allows("train") else None
            if train_page is None:
                events.build(render, "train")
        with gr.Column(elem_id="page-settings"):
            widget(settings.html(services, render), elem_id="settings")
        page.connect(browsing, services, render, reader, view=view, box=box, hubs=hubs)
        detail.connect(panel, coming, services, render, view=view)
        states = try_page_page.connect(try_page, coming, services, render, generations, view=view, order=order)
        if policy.allows("keep history"):
            history.connect(try_page, services, render, states)
        examples.connect(panel, try_page, services, render, states)
        if train_page is not None:
            train.connect(train_page, services, render, view=view)
            train_page.progress.act(on_click, [view], [view, order], **QUIET)
        if shelf is not None:
            library_page.connect(shelf, coming, services, render, view=view)
        downloads.connect(app, coming, services, render, view=view, line=pulling)
        # The id of what this tab was at before it was loaded again comes from the browser's own storage.
        app.load(
            arrived, [try_page.generation, browsing.level], [view, order], js=try_page_page.READ_GENERATION, **QUIET
        )
        _connect(render, view, nav, box, browsing.sort, address, closed_pages=events.names(services.policy))
        for clickable in (nav, hubs, browsing.grid, panel, coming.drawer):
            clickable.act(on_click, [view], [view, order], **QUIET)
    return app


def _header(render: Renderer, services: Services) -> tuple[gr.HTML, gr.HTML, gr.Textbox, gr.HTML, gr.Textbox]:
    with gr.Row(elem_id="header"):
        nav = widget(
            header.nav_html(render, "browse", closed=events.names(services.policy)), elem_id="nav", script=script("nav")
        )
        button = downloads.build_button()
        box = gr.Textbox(
            label="Search",
            show_label=False,
            container=False,
            elem_id="search",
            placeholder="Search LoRAs on three hubs",
            max_lines=1,
        )
        statuses = [header.asked(connector.name) for connector in services.connectors]
        hubs = widget(header.hubs_html(render, statuses), elem_id="hubs")
        address = gr.Textbox(visible="hidden", elem_id="address")
    return nav, button, box, hubs, address


def _connect(
    render: Renderer,
    view: gr.State,
    nav: gr.HTML,
    box: gr.Textbox,
    sort: gr.Dropdown,
    address: gr.Textbox,
    *,
    closed_pages: Sequence[str],
) -> None:
    def on_view(now: View) -> Any:
        return show(render, now, closed_pages)

    shown = view.change(on_view, [view], [nav, box, sort, address], **QUIET)
    shown.then(None, [address], None, js=WRITE_ADDRESS)


def arrived(generation: str, level: object, request: gr.Request) -> tuple[View, str]:
    """`level` of mature pictures is what this browser chose before; an address that names one has its way."""
    return View.from_address(str(request.url.query) if request else "", level), generation or ""


def show(render: Renderer, view: View, closed_pages: Sequence[str] = ()) -> Any:
    """The header; it also says which page stands open (widgets/templates/nav.html). `closed_pages` have no link."""
    nav = header.nav_html(render, view.page, stacked=len(view.stack), closed=closed_pages)
    return nav, view.query.text, view.query.sort, view.to_address()


def clicked(view: View, act: dict[str, Any], usual: Callable[[Ref], float] = lambda _ref: 1.0) -> tuple[Any, Any]:
    """What a click anywhere in the frame makes of the view, and whether a pair is ordered with it.

    `usual` knows the weight that a LoRA is meant for.
    """
    name = act.get("act")
    if name == "go":
        return replace(view, page=View.from_address(f"view={act.get('page', '')}").page, open=""), gr.skip()
    if name == "address":
        return View.from_address(str(act.get("query", "")).removeprefix("?")), gr.skip()
    if name == "close":
        return replace(view, open=""), gr.skip()
    if name not in ("open", "try", "stack"):
        return gr.skip(), gr.skip()
    ref = Ref.parse(str(act.get("ref", "")))
    if name == "open":
        return replace(view, page="browse", open=str(ref)), gr.skip()
    weight = usual(ref)
    return (view.trying(str(ref), weight), True) if name == "try" else (view.stacked(str(ref), weight), gr.skip())


def stacked_html(services: Services, view: View, ref: Ref) -> str:
    """What "+ Stack" does, as HTML for Gradio's message. `view` is how it was before."""
    try:
        title = format.title(services.catalog.lora(ref.lora).title)
    except NotFound:
        title = ref.id
    beside = sum(stacked.ref != str(ref) for stacked in view.stack)
    others = f", beside {beside} other{'s' if beside > 1 else ''}" if beside else ""
    return f"“{html.escape(title)}” is on the Try page now{others}."


def theme() -> gr.themes.Base:
    sans = [
        gr.themes.Font(name)
        for name in ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
    ]
    return gr.themes.Base(font=sans, font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")])


@contextmanager
def serving(
    services: Services, *, host: str = "127.0.0.1", port: int | None = None, open_browser: bool = False
) -> Iterator[str]:
    """Serves the page until the block ends; yields its address. `port` None or 0 takes a free one from 7860 on."""
    limits = services.settings.policy.limits
    with _gradio_settings() as folder:
        reader = HeaderReader(services=services)
        services.queue.start()
        render = Renderer()
        hubs = {str(hub): host_of(endpoint) for hub, endpoint in services.settings.endpoints.items()}
        pictures = HubImages(links=render.pictures, hosts=hubs)
        generations = Generations(hosted=services.settings.hosted)
        app = build_app(services, reader, render, generations)
        names = services.settings.allowed_hosts | {host.lower()}
        hosts = None if services.settings.hosted and not services.settings.allowed_hosts else Hosts(names=names)
        _, url, _ = app.queue(default_concurrency_limit=8, max_size=MOST_WAITING).launch(
            server_name=host,
            server_port=port or None,
            inbrowser=open_browser,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            # Run history would keep what people type in their browser's storage.
            run_history=False,
            footer_links=[],
            theme=theme(),
            css_paths=STYLES,
            head="".join(f"<script>{script(name)}</script>" for name in ("arriving", "keyboard")),
            mcp_server=False,
            max_threads=MOST_HANDLERS,
            max_file_size=limits.upload_bytes,
            app_kwargs={
                "middleware": middleware(app, hosts=hosts, limits=limits, folder=folder, generations=generations),
                "routes": [pictures.route(), Images(folder=folder).route()],
            },
        )
        try:
            yield url
        finally:
            app.close(verbose=False)
            generations.close()
            services.queue.stop()
            reader.close()
            pictures.close()


@contextmanager
def _gradio_settings() -> Iterator[Path]:
    """Gradio reads these from the environment: no analytics, and a folder of this page alone for what is uploaded.

    Its usual folder is open to everyone on this computer, and stays for ever.
    """
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="hub-ui-", ignore_cleanup_errors=True) as folder:
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(Path(folder).resolve()))
        try:
            yield Path(folder).resolve()
        finally:
            os.environ.pop("GRADIO_TEMP_DIR")
            if before is not None:
                os.environ["GRADIO_TEMP_DIR"] = before
