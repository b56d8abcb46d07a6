"""The Library page's list for a view: what is found, and each row with what the catalog and the checks say of it."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from connectors.claims.resolve import record_of
from connectors.errors import BadQuery, NotFound
from connectors.record import Record
from connectors.ref import Ref
from hub_ui import format, library_search
from hub_ui.i18n import _
from hub_ui.library.lockfile import Entry
from hub_ui.library.pairs import may_be_half, pair_up
from hub_ui.library_checks import CheckResults
from hub_ui.library_index import LibraryRow
from hub_ui.library_search import NEVER_USED, Found, LibraryQuery
from hub_ui.services import Services
from hub_ui.web.browse import cards
from hub_ui.web.layout.render import Renderer, address
from hub_ui.web.library.rows import PAGE_SIZE, LibraryItem, ListPage, Note, notes
from hub_ui.web.view import LibraryView


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`problem` is what is wrong with the text of the search; the rest of it counts nevertheless."""

    asked: LibraryQuery
    found: Found
    problem: str = ""

    def page_number(self, look: LibraryView) -> int:
        """An address may name a page that is not there any more."""
        return min(look.number, max(0, len(self.found.rows) - 1) // PAGE_SIZE)


def find(services: Services, look: LibraryView, results: CheckResults) -> Listing:
    problem = ""
    try:
        asked = library_search.parse(look.text)
    except BadQuery as error:
        asked, problem = library_search.parse(look.text, is_strict=False), error.message
    # It is read only where it counts: the history is on the disk.
    used = services.uses.times() if look.sort == "used" else NEVER_USED
    found = services.library_search.find(asked, sort=look.sort, outdated=results.updates, used=used)
    if look.collection:
        refs = next((one.refs for one in services.collections.all() if one.name == look.collection), frozenset())
        found = replace(found, rows=tuple(row for row in found.rows if row.entry.ref in refs))
    # A LoRA in two files is one row.
    halves = {row.entry.ref: row for row in found.rows if may_be_half(row.entry)}
    if halves:
        pairs = pair_up((row.entry for row in halves.values()), services.downloads.other_half)
        shown = {entry.ref: halves[pair.first.ref] for pair in pairs for entry in pair.entries}
        rows = (shown.get(row.entry.ref, row) for row in found.rows)
        found = replace(found, rows=tuple({row.entry.ref: row for row in rows}.values()))
    return Listing(asked=asked, found=found, problem=problem)


def list_page(
    services: Services, render: Renderer, listing: Listing, look: LibraryView, results: CheckResults, *, open: str
) -> ListPage:
    """`open` is the ref of the entry in the panel."""
    rows, number = listing.found.rows, listing.page_number(look)
    coming = {task.ref for task in services.queue.tasks() if not task.rests}
    shown = rows[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]
    items = [item(services, render, row, results, coming, is_open=str(row.entry.ref) == open) for row in shown]
    return ListPage(items=items, found=len(rows), number=number)


def item(
    services: Services,
    render: Renderer,
    row: LibraryRow,
    results: CheckResults,
    coming: Collection[Ref],
    *,
    is_open: bool = False,
) -> LibraryItem:
    entry, record = row.entry, catalog_record(services, row.entry.ref)
    [pair] = pair_up([entry], services.downloads.other_half)
    held = services.library.entries() if pair.missing else ()
    half = next((one for one in held if one.ref == pair.missing), None)
    return LibraryItem(
        row=row,
        title=format.title(entry.title) or entry.file,
        creator=format.title(record.creator) if record and record.creator else entry.ref.id,
        base=row.base,
        image=picture(services, render, row, record),
        notes=(
            *notes(
                entry,
                results.checked.get(entry.ref),
                results.standing.get(entry.ref),
                coming,
                missing=row.is_missing,
                removed=row.is_removed,
                in_library=services.library.holds,
            ),
            *half_notes(pair.missing, half, coming),
        ),
        size=entry.size + (half.size if half else 0),
        is_open=is_open,
    )


def half_notes(ref: Ref | None, half: Entry | None, coming: Collection[Ref]) -> tuple[Note, ...]:
    """Of a LoRA in two files, for much noise and for little: whether the other one, `ref`, is here."""
    if ref is None:
        return ()
    if half is not None:
        return (Note(text=_("Two files, for much noise and for little."), chip=_("two files")),)
    if ref in coming:
        return (Note(text=_("Its other half is being downloaded."), chip=_("downloading")),)
    missing = _("Its other half is missing: it is one of two files, for much noise and for little.")
    button, chip = _("Download it"), _("half missing")
    return (Note(text=missing, chip=chip, tone="warn", act="download", button=button, ref=str(ref)),)


def catalog_record(services: Services, ref: Ref) -> Record | None:
    """What the catalog knows of it; no hub is asked."""
    try:
        lora = services.catalog.lora(ref)
        return record_of(lora, ref if lora.version(ref.version) is not None else ref.lora)
    except NotFound:
        return None


def picture(services: Services, render: Renderer, row: LibraryRow, record: Record | None) -> str:
    """The hub's, else the latest one made with it, else the one beside its file; empty for none. Nothing mature."""
    cover = cards.cover(record, "soft") if record else None
    if cover is not None and address(cover.url):
        return render.image_url(cover.url, row.entry.ref, "card")
    use = services.uses.latest().get(row.entry.ref.lora)
    path = use.thumbnail if use else services.library_index.picture_beside(row.entry)
    return render.links.local_link(path) if path else ""
