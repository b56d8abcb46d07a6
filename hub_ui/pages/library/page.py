"""Library: what is on disk, with its exact version and checksum, and what has become of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from connectors.errors import UsageError
from connectors.record import Lora
from connectors.ref import LOCAL, Ref
from connectors.registry import origin_label
from hub_ui.library.disk import reveal
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import check_for_updates
from hub_ui.library.verify import Checked, check_all, foreign
from hub_ui.pages.events import QUIET, stepping, told
from hub_ui.pages.library import lock_import
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.library.entries import ORDERS, PAGE_SIZE, Listed, Look, Remembered, base_of, listed, remembered
from hub_ui.pages.library.update_status import Findings, compared, notes, summary, verified
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import format, library_list
from hub_ui.widgets import result as widgets_result
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, widget

_SECONDS_BETWEEN_STEPS = 0.2
# A longer one is taken from the folder: it would travel with every change of the page.
LONGEST_COPIED = 100_000
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True)
class LibraryPage:
    shelf: gr.HTML
    progress: gr.HTML
    lock: lock_import.LockImport
    found: gr.State


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a click changes; the rest stays as it is. `asked`: downloads were added."""

    view: Any = None
    found: Findings | None = None
    progress: str | None = None
    importing: bool | None = None
    asked: bool = False


def build() -> LibraryPage:
    checking = widget(elem_id="checking")
    lock = lock_import.build()
    return LibraryPage(shelf=widget(elem_id="shelf"), progress=checking, lock=lock, found=gr.State(Findings()))


def connect(page: LibraryPage, downloads: Downloads, services: Services, render: Renderer, *, view: gr.State) -> None:
    # What the catalog knows of thousands of entries is asked once a visit, not at each word that is looked for.
    memory: dict[Ref, Remembered] = {}

    def on_view(now: View, found: Findings) -> Any:
        if now.page != "library":
            return gr.skip()
        memory.clear()
        return show(services, render, found, memory)

    def on_act(found: Findings, now: View, asked: int, request: gr.Request, event: gr.EventData) -> Iterator[Any]:
        with told():
            for change in act(services, render, found, now, act_data(event), is_local(request)):
                yield painted(services, render, change, asked, memory)

    view.change(on_view, [view, page.found], [page.shelf], **QUIET)
    downloads.arrived.change(on_view, [view, page.found], [page.shelf], **QUIET)
    changed = [view, page.shelf, page.found, page.progress, page.lock.box, downloads.asked]
    # "multiple": a long check keeps nobody from removing or trying meanwhile.
    page.shelf.act(on_act, [page.found, view, downloads.asked], changed, trigger_mode="multiple", **QUIET)
    taken = lock_import.connect(page.lock, downloads, services, render)
    taken.then(on_view, [view, page.found], [page.shelf], **QUIET)


def is_local(request: gr.Request) -> bool:
    """Whether whoever looks at the page sits at this machine: opening a window elsewhere helps nobody."""
    host = request.client.host if request and request.client else ""
    return host in LOOPBACK and not request.headers.get("x-forwarded-for")


def painted(
    services: Services, render: Renderer, change: Change, asked: int, memory: dict[Ref, Remembered]
) -> tuple[Any, ...]:
    return (
        gr.skip() if change.view is None else change.view,
        gr.skip() if change.found is None else show(services, render, change.found, memory),
        gr.skip() if change.found is None else change.found,
        gr.skip() if change.progress is None else change.progress,
        gr.skip() if change.importing is None else gr.update(visible=change.importing),
        asked + 1 if change.asked else gr.skip(),
    )


def act(
    services: Services, render: Renderer, found: Findings, view: View, clicked: dict[str, Any], local: bool
) -> Iterator[Change]:
    """A click on the page."""
    services.policy.check("change library")
    name, text = str(clicked.get("act", "")), str(clicked.get("ref", ""))
    if name == "try":
        ref = Ref.parse(text)
        yield Change(view=view.trying(str(ref), services.usual_weight(ref)))
    elif name == "open":
        yield Change(view=replace(view, page="browse", open=str(Ref.parse(text))))
    elif name.startswith("look-"):
        look = found.look.changed(name.removeprefix("look-"), str(clicked.get("value", "")))
        yield Change(found=replace(found, look=look))
    elif name == "verify":
        yield from verify(services, render, found)
    elif name == "outdated":
        yield from compare(services, render, found)
    elif name == "import":
        yield Change(importing=True)
    else:
        yield on_entry(services, found, name, Ref.parse(text), local)


def on_entry(services: Services, found: Findings, name: str, ref: Ref, local: bool) -> Change:
    """A button in the row of one entry."""
    if name == "remove":
        return Change(found=replace(found, asking=str(ref)))
    if name == "keep":
        return Change(found=replace(found, asking=""))
    if name == "remove-now":
        services.library.remove(ref)
        return Change(found=replace(found, asking=""))
    if name == "reveal":
        entry = services.library.entry(ref)
        if found.shown == str(ref):
            return Change(found=replace(found, shown=""))
        if local:
            reveal(services.library.path(entry), os.environ)
        return Change(found=replace(found, shown=str(ref)))
    if name in ("fetch", "update"):
        services.enqueue(ref)
        return Change(found=found, asked=True)
    raise UsageError("That is no button of this page.")


def verify(services: Services, render: Renderer, found: Findings) -> Iterator[Change]:
    """Hashes every file again, and tells how far it is."""
    total = len(services.library.entries())

    def work(report: Callable[[Any], None], cancelled: Callable[[], bool]) -> tuple[Checked, ...]:
        return check_all(services.library, lambda done, checked: report((done, checked)))

    yield Change(progress=widgets_result.progress_html(render, "Verifying…", None))
    steps, last = stepping(work), 0.0
    while True:
        try:
            done, checked = next(steps)
        except StopIteration as ended:
            results: tuple[Checked, ...] = ended.value
            break
        if time.monotonic() - last >= _SECONDS_BETWEEN_STEPS:
            last = time.monotonic()
            line = f"Verified {done:,} of {total:,}: {format.visible(checked.entry.title)}"
            yield Change(progress=widgets_result.progress_html(render, line, done / total))
    strangers = foreign(services.library)
    by_ref = {result.entry.ref: result for result in results}
    said = verified(results, strangers)
    yield Change(found=replace(found, checked=by_ref, foreign=strangers, said=said), progress="")


def compare(services: Services, render: Renderer, found: Findings) -> Iterator[Change]:
    """Asks every hub what has become of what is here."""
    entries, standings = services.library.entries(), []

    def get(ref: Ref) -> Lora:
        lora = services.connector(ref.hub).get(ref)
        services.catalog.add([lora])
        return lora

    yield Change(progress=widgets_result.progress_html(render, "Asking the hubs…", None))
    for number, standing in enumerate(check_for_updates(entries, get), 1):
        standings.append(standing)
        line = f"Asked about {number:,} of {len(entries):,}: {format.visible(standing.entry.title)}"
        yield Change(progress=widgets_result.progress_html(render, line, number / len(entries)))
    by_ref = {standing.entry.ref: standing for standing in standings}
    yield Change(found=replace(found, standing=by_ref, said=compared(standings)), progress="")


def show(services: Services, render: Renderer, found: Findings, memory: dict[Ref, Remembered] | None = None) -> str:
    """`memory` keeps what the catalog knows of entries from one call to the next."""
    entries = services.library.entries()
    known = {} if memory is None else memory
    for entry in entries:
        if entry.ref not in known:
            known[entry.ref] = remembered(services, entry.ref)
    missing = {entry.ref for entry in entries if not services.library.path(entry).exists()}
    coming = {task.ref for task in services.queue.tasks() if not task.rests}
    now = listed(entries, known, found.look)
    text = services.library.lock_text() if entries else ""
    shown = library_list.LibraryList(
        items=[
            item(services, entry, found, coming, missing=entry.ref in missing, known=known[entry.ref])
            for entry in now.entries
        ],
        count=len(entries),
        controls=controls(found.look, now),
        summary=summary(entries, missing=len(missing), removed=sum(known[entry.ref].removed for entry in entries)),
        folder=str(services.settings.library),
        lock=services.settings.lock.name,
        text=text if len(text) <= LONGEST_COPIED else "",
        foreign=found.foreign,
        said=found.said,
    )
    return library_list.html(render, shown)


def controls(look: Look, now: Listed) -> library_list.Controls:
    return library_list.Controls(
        text=look.text,
        sort=look.sort,
        sorts=[(name, label) for name, (label, _) in ORDERS.items()],
        base=look.base,
        bases=now.bases,
        kind=look.kind,
        kinds=now.kinds,
        number=now.number,
        pages=now.pages,
        first=now.number * PAGE_SIZE + 1,
        last=now.number * PAGE_SIZE + len(now.entries),
        found=now.found,
    )


def item(
    services: Services, entry: Entry, found: Findings, coming: Collection[Ref], *, missing: bool, known: Remembered
) -> library_list.Item:
    return library_list.Item(
        ref=str(entry.ref),
        title=format.visible(entry.title) or entry.file,
        hub=origin_label(entry.ref.hub),
        opens=entry.ref.hub != LOCAL,
        image=known.image,
        kind=known.kind,
        base=base_of(entry),
        size=format.size(entry.size),
        trigger_words=", ".join(format.visible(word) for word in entry.trigger_words),
        notes=notes(entry, found, coming, missing=missing, removed=known.removed, held=services.library.holds),
        path=str(services.library.path(entry)) if found.shown == str(entry.ref) else "",
        asking=found.asking == str(entry.ref),
    )
