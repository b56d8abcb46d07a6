"""The Library page: files on disk with exact version and checksum, found like on a hub, with one's own notes."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import gradio as gr

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui import library_search
from hub_ui.i18n import _
from hub_ui.library.disk import reveal
from hub_ui.library.pairs import with_halves
from hub_ui.pages.events import QUIET, Listeners, errors_as_messages
from hub_ui.pages.library import entry, listing, lock_import, selection
from hub_ui.pages.library.checks import check_updates, verify_files
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.library.entry import OpenEntry
from hub_ui.pages.library.own_file import OwnFilePart
from hub_ui.pages.library.selection import Selection
from hub_ui.pages.library.update_status import CheckResults
from hub_ui.web.view import LibraryView, View
from hub_ui.services import Services
from hub_ui.widgets import library_entry, library_list
from hub_ui.widgets.library_list import PAGE_SIZE
from hub_ui.widgets.render import Renderer, act_data, read_script, widget

LOOPBACK = ("127.0.0.1", "::1", "localhost")
# The parts of Shown that Gradio keeps from one click to the next.
STATES = ("view", "results", "selected", "opened")
CHECKS: Mapping[str, Callable[..., Iterator[Any]]] = {"verify": verify_files, "outdated": check_updates}
# One after the other: each starts from what the one before it has left.
IN_TURN: dict[str, Any] = {"concurrency_id": "library", "concurrency_limit": 1, **QUIET}
# What bulk.py does.
PANELS = ("duplicates", "collections", "changes", "rules")
Paints = Literal["all", "selection", "entry", "nothing"]
_TOOLS = frozenset(tool.name for tool in selection.TOOLS)


class LibraryPage:
    """The components, in the order of the page."""

    def __init__(self, view: gr.State) -> None:
        self.view = view
        self.facets = widget(elem_id="library-facets")
        with gr.Column(elem_id="library-main"):
            self.heading = widget(elem_id="library-heading")
            self.progress = widget(elem_id="checking")
            self.lock = lock_import.LockImport()
            self.own_file = OwnFilePart(view)
            self.search = widget(elem_id="library-search", script=read_script("library_search"))
            self.selection = widget(elem_id="library-selection", script=read_script("library_selection"))
            self.bulk = widget(elem_id="library-bulk", script=read_script("library_bulk"))
            self.shelf = widget(elem_id="shelf", script=read_script("library_list"))
        self.entry = widget(elem_id="entry", script=read_script("library_entry"))
        # What bulk.py shows.
        self.panel = gr.State(None)
        self.results = gr.State(CheckResults())
        self.selected = gr.State(())
        self.opened = gr.State(OpenEntry())
        # What stands on the page, None where that may be out of date.
        self.shown = gr.State(None)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """All that the page shows is made of. `number` is that of the text that was typed last."""

    view: View
    results: CheckResults = field(default_factory=CheckResults)
    selected: Selection = ()
    opened: OpenEntry = field(default_factory=OpenEntry)
    number: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The page after a click. `requested`: downloads were added.

    `paints` is what is to be painted anew: ticks, and which row is open, show in the browser without it.
    """

    shown: Shown
    importing: bool | None = None
    requested: bool = False
    paints: Paints = "all"


def connect(
    page: LibraryPage,
    downloads: Downloads,
    services: Services,
    render: Renderer,
    listeners: Listeners,
    *,
    address: gr.Textbox,
) -> None:
    """`address` is what the address bar is written from."""
    states = [page.view, page.results, page.selected, page.opened]
    parts = [page.heading, page.facets, page.search, page.selection, page.shelf, page.entry]
    nothing = (gr.skip(),) * len(parts)

    def on_view(now: View, results: CheckResults, selected: Selection, opened: OpenEntry, shown: Any) -> Any:
        if now.page != "library":
            return *nothing, None if shown else gr.skip()
        if shown == now.library:
            return *nothing, gr.skip()
        with errors_as_messages():
            then = Shown(view=now, results=results, selected=selected, opened=opened)
            return *paint(services, render, then), now.library

    def on_new(now: View, results: CheckResults, selected: Selection, opened: OpenEntry) -> Any:
        return on_view(now, results, selected, opened, None)

    listeners.add(on_view, [*states, page.shown], [*parts, page.shown])
    downloads.arrived.change(on_new, states, [*parts, page.shown], **IN_TURN)
    connect_clicks(page, downloads, services, render, address=address)
    checked = connect_checks(page, services, render)
    imported = lock_import.connect(page.lock, downloads, services, render)
    for event in (checked, imported):
        event.then(on_new, states, [*parts, page.shown], **IN_TURN)


def connect_clicks(
    page: LibraryPage, downloads: Downloads, services: Services, render: Renderer, *, address: gr.Textbox
) -> None:
    states = [page.view, page.results, page.selected, page.opened]
    parts = [page.heading, page.facets, page.search, page.selection, page.shelf, page.entry]

    def on_act(
        now: View,
        results: CheckResults,
        selected: Selection,
        opened: OpenEntry,
        count: int,
        request: gr.Request,
        event: gr.EventData,
    ) -> Any:
        with errors_as_messages():
            before = Shown(view=now, results=results, selected=selected, opened=opened)
            change = handle_click(services, before, act_data(event), is_local(request))
            then = change.shown
            return (
                # A check that ended meanwhile has changed what this click does not.
                *(
                    gr.skip() if getattr(then, name) is getattr(before, name) else getattr(then, name)
                    for name in STATES
                ),
                *paint(services, render, then, change.paints),
                then.view.library if change.paints == "all" else gr.skip(),
                then.view.to_address() if then.view.library != now.library else gr.skip(),
                gr.skip() if change.importing is None else gr.update(visible=change.importing),
                count + 1 if change.requested else gr.skip(),
            )

    outputs = [*states, *parts, page.shown, address, page.lock.box, downloads.requested]
    for clickable in parts:
        # "multiple": none is dropped.
        clicked = clickable.act(on_act, [*states, downloads.requested], outputs, trigger_mode="multiple", **IN_TURN)
        clicked.then(None, [address], None, js=read_script("write_address"))


def connect_checks(page: LibraryPage, services: Services, render: Renderer) -> Any:
    """Returns the event after which there may be results. A long check blocks no other click."""

    def on_check(results: CheckResults, event: gr.EventData) -> Iterator[Any]:
        name = str(act_data(event).get("act", ""))
        with errors_as_messages():
            services.policy.check("change library")
            if name not in CHECKS:
                # An event without a step would empty what it may change (Gradio 6.31).
                yield gr.skip(), gr.skip()
                return
            for step in CHECKS[name](services, render, results):
                yield step.found or gr.skip(), step.progress

    return page.heading.act(on_check, [page.results], [page.results, page.progress], trigger_mode="multiple", **QUIET)


def is_local(request: gr.Request) -> bool:
    """Whether the browser runs on this machine: a file manager elsewhere would help nobody."""
    host = request.client.host if request and request.client else ""
    return host in LOOPBACK and not request.headers.get("x-forwarded-for")


def handle_click(services: Services, before: Shown, clicked: Mapping[str, Any], local: bool) -> Change:
    """A click on any part of the page, and what was typed."""
    services.policy.check("change library")
    name, ref_text, value = (str(clicked.get(key, "")) for key in ("act", "ref", "value"))
    if name in CHECKS or name in PANELS or (name == "bulk" and clicked.get("action") in _TOOLS):
        return Change(shown=before, paints="nothing")
    if name == "import":
        return Change(shown=before, importing=True, paints="nothing")
    if name in ("search", "chip", "toggle", "sort", "page"):
        look = change_look(before.view.library, name, clicked)
        number = str(clicked.get("number", "")) if name == "search" else ""
        return Change(shown=replace(before, view=replace(before.view, library=look), number=number))
    if name.startswith("select"):
        return select(services, before, name, ref_text)
    if name == "bulk":
        said = selection.run(services, before.selected, str(clicked.get("action", "")), value)
        return Change(shown=replace(before, results=replace(before.results, said=said)), requested=True)
    if name == "edit-close":
        return Change(shown=replace(before, opened=OpenEntry()), paints="entry")
    return handle_entry_click(services, before, name, clicked, local)


def change_look(look: LibraryView, name: str, clicked: Mapping[str, Any]) -> LibraryView:
    """Raises UsageError for what is no control. A changed control leads back to the first page."""
    value = str(clicked.get("value", ""))
    if name == "page":
        return replace(look, number=int(value) if value.isascii() and value.isdigit() and len(value) < 7 else 0)
    if name == "sort":
        if value not in library_search.SORTS:
            raise UsageError(_("That is no control of this page."))
        return replace(look, sort=value, number=0)  # type: ignore[arg-type]
    if name == "toggle":
        asked = library_search.parse(look.text, is_strict=False)
        return replace(look, text=library_search.toggle(asked, str(clicked.get("facet", "")), value).text, number=0)
    text = value if name == "search" else str(clicked.get("text", ""))
    return replace(look, text=text[:1000], number=0)


def select(services: Services, before: Shown, name: str, ref: str) -> Change:
    if name == "select":
        return Change(shown=replace(before, selected=selection.toggle(before.selected, [ref])), paints="selection")
    if name == "select-none":
        return Change(shown=replace(before, selected=()), paints="selection")
    found = listing.find(services, before.view.library, before.results)
    if name == "select-page":
        start = found.page_number(before.view.library) * PAGE_SIZE
        selected = selection.toggle(before.selected, found.refs[start : start + PAGE_SIZE])
    else:
        selected = tuple(dict.fromkeys((*before.selected, *found.refs)))
    return Change(shown=replace(before, selected=selected), paints="selection")


def handle_entry_click(services: Services, before: Shown, name: str, clicked: Mapping[str, Any], local: bool) -> Change:
    """Handles a button of one entry, in its row or at the side."""
    ref, value = Ref.parse(str(clicked.get("ref", ""))), str(clicked.get("value", ""))
    opened = before.opened
    if name == "try":
        weight = services.generation.default_weight(ref)
        return Change(shown=replace(before, view=before.view.try_lora(str(ref), weight)), paints="nothing")
    if name == "open":
        return Change(shown=replace(before, view=replace(before.view, page="browse", open=str(ref))), paints="nothing")
    if name == "edit":
        is_open = opened.ref == str(ref)
        return Change(shown=replace(before, opened=OpenEntry() if is_open else OpenEntry(ref=str(ref))), paints="entry")
    if name in entry.EDITS or name == "reset":
        text = str(clicked.get("field", "")) if name == "reset" else value
        return Change(shown=replace(before, opened=entry.edit(services, opened, name, ref, text)))
    if name in ("remove", "keep"):
        asking = replace(opened, ref=str(ref), asking=name == "remove")
        return Change(shown=replace(before, opened=asking), paints="entry")
    if name == "remove-now":
        entries = services.library.entries()
        services.changes.remove(with_halves([services.library.entry(ref)], entries, services.downloads.other_half))
        selected = tuple(one for one in before.selected if one != str(ref))
        results = replace(before.results, said=_("Removed. “Changes” brings it back."))
        return Change(shown=replace(before, selected=selected, opened=OpenEntry(), results=results))
    if name == "reveal":
        if local:
            reveal(services.library.path(services.library.entry(ref)), os.environ)
        return Change(shown=replace(before, opened=replace(opened, ref=str(ref))), paints="entry")
    if name in ("fetch", "update"):
        services.downloads.enqueue(ref)
        return Change(shown=before, requested=True)
    if name == "menu":
        said = entry.run_action(services, value, ref)
        return Change(shown=replace(before, results=replace(before.results, said=said)), requested=True)
    raise UsageError(_("That is no button of this page."))


def paint(services: Services, render: Renderer, shown: Shown, paints: Paints = "all") -> tuple[Any, ...]:
    """Heading, filters, search, what is chosen, the list, and the entry at the side."""
    skip = gr.skip()
    if paints == "nothing":
        return (skip,) * 6
    if paints == "entry":
        return *(skip,) * 5, library_entry.html(render, entry.panel(services, render, shown.opened, shown.results))
    look = shown.view.library
    found = listing.find(services, look, shown.results)
    toolbar = selection.toolbar_html(render, shown.selected, len(found.found.rows))
    if paints == "selection":
        return *(skip,) * 3, toolbar, *(skip,) * 2
    page = listing.list_page(
        services, render, found, look, shown.results, selected=shown.selected, open=shown.opened.ref
    )
    rows = services.library_index.rows()
    count = len(rows)
    chips = library_search.chips(found.asked)
    return (
        library_list.heading_html(render, listing.heading(services, rows, shown.results)),
        library_list.facets_html(render, found.asked, found.found) if count else "",
        library_list.search_html(
            render, look.text, chips, sort=look.sort, problem=found.problem, number=shown.number, count=count
        ),
        toolbar,
        library_list.list_html(render, page, count=count),
        library_entry.html(render, entry.panel(services, render, shown.opened, shown.results)),
    )
