"""The Library page: files on disk with exact version and checksum, and whether they are up to date."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from connectors.claims import base_models
from connectors.claims.resolve import record_of
from connectors.errors import NotFound, UsageError
from connectors.record import Lora, Record
from connectors.ref import Ref
from hub_ui import format
from hub_ui.library.disk import reveal
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import check_for_updates
from hub_ui.library.sync import FileCheck, check_all, foreign
from hub_ui.pages.events import QUIET, errors_as_messages, run_in_thread
from hub_ui.pages.library import lock_import
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.library.update_status import CheckResults, notes, summary, update_summary, verify_summary
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.widgets import cards, library_list, result
from hub_ui.widgets.library_list import PAGE_SIZE, ListPage, ListQuery
from hub_ui.widgets.render import Renderer, act_data, address, widget

UNKNOWN = "unknown"
Order = Callable[[Entry], Any]
ORDERS: Mapping[str, tuple[str, Order]] = {
    "name": ("Name", lambda entry: entry.title.casefold()),
    "base": ("Base", lambda entry: (base_label(entry), entry.title.casefold())),
    "size": ("Largest first", lambda entry: (-entry.size, entry.title.casefold())),
    "hub": ("Hub", lambda entry: (entry.ref.hub, entry.title.casefold())),
}
_SECONDS_BETWEEN_STEPS = 0.2
# A longer lock file is not shown for copying: it would be sent with every change of the page.
LONGEST_COPIED = 100_000
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True)
class CatalogInfo:
    """What the catalog knows of an entry. `image` is an address; `removed`: its hub took it down."""

    kind: str = ""
    image: str = ""
    removed: bool = False


def change_look(look: ListQuery, name: str, value: str) -> ListQuery:
    """Raises UsageError for an unknown control. A changed control leads back to the first page."""
    if name == "page":
        return replace(look, number=int(value) if value.isascii() and value.isdigit() else 0)
    if name not in ("text", "sort", "base", "kind") or (name == "sort" and value not in ORDERS):
        raise UsageError("That is no control of this page.")
    changes: dict[str, Any] = {name: value[:200], "number": 0}
    return replace(look, **changes)


def list_entries(entries: Sequence[Entry], known: Mapping[Ref, CatalogInfo], look: ListQuery) -> ListPage:
    terms = look.text.casefold().split()

    def fits(entry: Entry) -> bool:
        text = " ".join((entry.title, str(entry.ref), entry.file, *entry.trigger_words)).casefold()
        return (
            (not look.base or base_label(entry) == look.base)
            and (not look.kind or kind_label(entry, known) == look.kind)
            and all(term in text for term in terms)
        )

    found = sorted(filter(fits, entries), key=ORDERS[look.sort][1])
    number = min(look.number, max(0, len(found) - 1) // PAGE_SIZE)
    return ListPage(
        entries=tuple(found[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]),
        found=len(found),
        number=number,
        bases=tuple(sorted({base_label(entry) for entry in entries})),
        kinds=tuple(sorted({kind_label(entry, known) for entry in entries})),
    )


def base_label(entry: Entry) -> str:
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    return known.label if known else format.visible(entry.base_model) or UNKNOWN


def kind_label(entry: Entry, known: Mapping[Ref, CatalogInfo]) -> str:
    return known[entry.ref].kind or UNKNOWN


def catalog_info(services: Services, ref: Ref) -> CatalogInfo:
    """Reads the catalog only, not the hub."""
    try:
        lora = services.catalog.lora(ref)
    except NotFound:
        return CatalogInfo()
    version = lora.version(ref.version)
    record: Record = record_of(lora, ref if version is not None else ref.lora)
    cover = cards.cover(record, "safe")
    return CatalogInfo(
        kind=record.kind or "",
        image=address(cover.url) if cover else "",
        removed="removed" in (lora.access, version.access if version else ""),
    )


class LibraryPage:
    """The components, in the order of the page."""

    def __init__(self, view: gr.State) -> None:
        self.view = view
        self.progress = widget(elem_id="checking")
        self.lock = lock_import.LockImport()
        self.shelf = widget(elem_id="shelf")
        self.found = gr.State(CheckResults())


@dataclass(frozen=True, kw_only=True)
class Change:
    """The changes after a click; the rest stays. `requested`: downloads were added."""

    view: Any = None
    found: CheckResults | None = None
    progress: str | None = None
    importing: bool | None = None
    requested: bool = False


def connect(page: LibraryPage, downloads: Downloads, services: Services, render: Renderer) -> None:
    view = page.view
    # The catalog is read for thousands of entries once a visit, not at each search.
    memory: dict[Ref, CatalogInfo] = {}

    def on_view(now: View, found: CheckResults) -> Any:
        if now.page != "library":
            return gr.skip()
        memory.clear()
        return show(services, render, found, memory)

    def on_act(results: CheckResults, now: View, count: int, request: gr.Request, event: gr.EventData) -> Iterator[Any]:
        with errors_as_messages():
            for change in handle_click(services, render, results, now, act_data(event), is_local(request)):
                yield (
                    change.view or gr.skip(),
                    show(services, render, change.found, memory) if change.found else gr.skip(),
                    change.found or gr.skip(),
                    gr.skip() if change.progress is None else change.progress,
                    gr.skip() if change.importing is None else gr.update(visible=change.importing),
                    count + 1 if change.requested else gr.skip(),
                )

    view.change(on_view, [view, page.found], [page.shelf], **QUIET)
    downloads.arrived.change(on_view, [view, page.found], [page.shelf], **QUIET)
    outputs = [view, page.shelf, page.found, page.progress, page.lock.box, downloads.requested]
    # "multiple": a long check blocks no other click.
    page.shelf.act(on_act, [page.found, view, downloads.requested], outputs, trigger_mode="multiple", **QUIET)
    imported = lock_import.connect(page.lock, downloads, services, render)
    imported.then(on_view, [view, page.found], [page.shelf], **QUIET)


def is_local(request: gr.Request) -> bool:
    """Whether the browser runs on this machine: a file manager elsewhere would help nobody."""
    host = request.client.host if request and request.client else ""
    return host in LOOPBACK and not request.headers.get("x-forwarded-for")


def handle_click(
    services: Services, render: Renderer, found: CheckResults, view: View, clicked: dict[str, Any], local: bool
) -> Iterator[Change]:
    services.policy.check("change library")
    name, text = str(clicked.get("act", "")), str(clicked.get("ref", ""))
    if name == "try":
        ref = Ref.parse(text)
        yield Change(view=view.try_lora(str(ref), services.generation.default_weight(ref)))
    elif name == "open":
        yield Change(view=replace(view, page="browse", open=str(Ref.parse(text))))
    elif name.startswith("look-"):
        look = change_look(found.look, name.removeprefix("look-"), str(clicked.get("value", "")))
        yield Change(found=replace(found, look=look))
    elif name == "verify":
        yield from verify_files(services, render, found)
    elif name == "outdated":
        yield from check_updates(services, render, found)
    elif name == "import":
        yield Change(importing=True)
    else:
        yield handle_entry_click(services, found, name, Ref.parse(text), local)


def handle_entry_click(services: Services, found: CheckResults, name: str, ref: Ref, local: bool) -> Change:
    """Handles a button in an entry's row."""
    if name == "remove":
        return Change(found=replace(found, asking=str(ref)))
    if name == "keep":
        return Change(found=replace(found, asking=""))
    if name == "remove-now":
        services.changes.remove([services.library.entry(ref)])
        return Change(found=replace(found, asking=""))
    if name == "reveal":
        entry = services.library.entry(ref)
        if found.shown == str(ref):
            return Change(found=replace(found, shown=""))
        if local:
            reveal(services.library.path(entry), os.environ)
        return Change(found=replace(found, shown=str(ref)))
    if name in ("fetch", "update"):
        services.downloads.enqueue(ref)
        return Change(found=found, requested=True)
    raise UsageError("That is no button of this page.")


def verify_files(services: Services, render: Renderer, found: CheckResults) -> Iterator[Change]:
    """Hashes every file again."""
    total = len(services.library.entries())

    def work(on_progress: Callable[[Any], None], _is_cancelled: Callable[[], bool]) -> tuple[FileCheck, ...]:
        return check_all(services.library, lambda done, checked: on_progress((done, checked)))

    yield Change(progress=result.progress_html(render, "Verifying…", None))
    steps, last = run_in_thread(work), 0.0
    while True:
        try:
            done, checked = next(steps)
        except StopIteration as end:
            results: tuple[FileCheck, ...] = end.value
            break
        if time.monotonic() - last >= _SECONDS_BETWEEN_STEPS:
            last = time.monotonic()
            line = f"Verified {done:,} of {total:,}: {format.visible(checked.entry.title)}"
            yield Change(progress=result.progress_html(render, line, done / total))
    strangers = foreign(services.library)
    by_ref = {checked.entry.ref: checked for checked in results}
    said = verify_summary(results, strangers)
    yield Change(found=replace(found, checked=by_ref, foreign=strangers, said=said), progress="")


def check_updates(services: Services, render: Renderer, found: CheckResults) -> Iterator[Change]:
    """Asks every hub for newer versions of the library's files."""
    entries, by_ref = services.library.entries(), {}

    def get(ref: Ref) -> Lora:
        lora = services.lookup.connector(ref.hub).get(ref)
        services.catalog.add([lora])
        return lora

    yield Change(progress=result.progress_html(render, "Asking the hubs…", None))
    for number, standing in enumerate(check_for_updates(entries, get), 1):
        by_ref[standing.entry.ref] = standing
        line = f"Asked about {number:,} of {len(entries):,}: {format.visible(standing.entry.title)}"
        yield Change(progress=result.progress_html(render, line, number / len(entries)))
    yield Change(found=replace(found, standing=by_ref, said=update_summary(by_ref.values())), progress="")


def show(services: Services, render: Renderer, found: CheckResults, cache: dict[Ref, CatalogInfo] | None = None) -> str:
    """`cache` keeps what the catalog knows of entries from one call to the next."""
    entries = services.library.entries()
    known = {} if cache is None else cache
    for entry in entries:
        if entry.ref not in known:
            known[entry.ref] = catalog_info(services, entry.ref)
    missing = {entry.ref for entry in entries if not services.library.path(entry).exists()}
    coming = {task.ref for task in services.queue.tasks() if not task.rests}
    now = list_entries(entries, known, found.look)
    text = services.library.lock_text() if entries else ""
    shown = library_list.LibraryList(
        items=[
            item(services, entry, found, coming, missing=entry.ref in missing, known=known[entry.ref])
            for entry in now.entries
        ],
        count=len(entries),
        look=found.look,
        page=now,
        sorts={name: label for name, (label, _) in ORDERS.items()},
        summary=summary(entries, missing=len(missing), removed=sum(known[entry.ref].removed for entry in entries)),
        folder=str(services.settings.library),
        lock=services.settings.lock.name,
        text=text if len(text) <= LONGEST_COPIED else "",
        foreign=found.foreign,
        said=found.said,
    )
    return library_list.html(render, shown)


def item(
    services: Services, entry: Entry, found: CheckResults, coming: Collection[Ref], *, missing: bool, known: CatalogInfo
) -> library_list.LibraryItem:
    return library_list.LibraryItem(
        entry=entry,
        base=base_label(entry),
        kind=known.kind,
        image=known.image,
        notes=notes(entry, found, coming, missing=missing, removed=known.removed, in_library=services.library.holds),
        path=str(services.library.path(entry)) if found.shown == str(entry.ref) else "",
        asking=found.asking == str(entry.ref),
    )
