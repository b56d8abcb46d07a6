"""The parts of the Library page as values for its templates."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.claims import base_models
from connectors.errors import HubUiError, NotFound
from connectors.record import Record
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.library import search
from hub_ui.library.annotations import LONGEST_NOTE
from hub_ui.library.checks import LibraryChecks
from hub_ui.library.collections import may_be_half
from hub_ui.library.index import LibraryRow
from hub_ui.library.search import SORTS
from hub_ui.services import Services
from hub_ui.web.browse import cards
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.web.layout.pages import page_address
from hub_ui.web.layout.render import Renderer, address
from hub_ui.web.library import own_file, rows
from hub_ui.web.library.acts import Said
from hub_ui.web.library.rows import LibraryItem
from hub_ui.web.view import LibraryView, View

PAGE_SIZE = 50
# A longer list is counted, not shown.
MOST_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class LibraryParts:
    """Makes the values of library/*.html."""

    services: Services
    render: Renderer
    checks: LibraryChecks

    def all(self, view: View, said: Said | None = None) -> dict[str, Any]:
        """`said` is what an act did just now."""
        # The progress first: once a check has ended, its results are there.
        progress, results = self.checks.progress, self.checks.results
        services, look = self.services, view.library
        library = services.library_index.rows()
        found = rows.find(services, look, results)
        # An address may name a page that is not there any more.
        last = max(0, len(found.rows) - 1) // PAGE_SIZE
        number = min(look.number, last)
        coming = self.coming()
        shown = found.rows[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]

        def toggle(facet: str, value: str) -> str:
            return self.address(view, text=search.toggle(found.asked, facet, value).text)

        return {
            "view": view,
            "address": view.to_address(),
            "services": services,
            "ticked": (),
            "count": len(library),
            "summary": rows.summary(library),
            "items": [self.item(row, coming) for row in shown],
            "found": len(found.rows),
            "number": number,
            "first": number * PAGE_SIZE + 1,
            "last": last,
            "problem": found.problem,
            "chips": [(chip, self.address(view, text=chip.rest)) for chip in search.chips(found.asked)],
            "groups": rows.groups(found.asked, found.found),
            "toggle": toggle,
            "look_address": lambda **changes: self.address(view, **changes),
            "collections": services.collections.all(),
            "sorts": [(name, _(rows.SORT_NAMES[name])) for name in SORTS],
            "entry_prefix": f"{page_address(replace(view, open='').to_address())}&open=",
            "try_prefix": f"{page_address(View(page='try').to_address())}&lora=",
            # Own files that were not kept yet.
            "waiting": [one for one in services.own_files.entries() if not services.library.holds(one.ref)],
            "imported": None,
            "closes": False,
            "said": said or Said(),
            "most": MOST_SHOWN,
            "progress": progress,
            "results": results,
        }

    def coming(self) -> Collection[Ref]:
        """What is being downloaded."""
        return {task.ref for task in self.services.queue.tasks() if not task.rests}

    def item(self, row: LibraryRow, coming: Collection[Ref]) -> LibraryItem:
        services, one = self.services, row.entry
        record = rows.catalog_record(services, one.ref)
        news = rows.notes(row, self.checks.results, coming, services.library.holds)
        size = one.size
        other_ref = services.downloads.other_half(one.ref) if may_be_half(one) else None
        if other_ref is not None:
            other = next((each for each in services.library.entries() if each.ref == other_ref), None)
            news += (rows.half_note(other_ref, coming, is_here=other is not None),)
            size += other.size if other else 0
        creator = format.title(record.creator) if record and record.creator else one.ref.id
        return LibraryItem(row=row, creator=creator, image=self.picture(row, record), notes=news, size=size)

    def picture(self, row: LibraryRow, record: Record | None) -> str:
        """The hub's, else the latest made with it, else the one beside its file; empty for none. Nothing mature."""
        cover = cards.cover(record, "soft") if record else None
        if cover is not None and address(cover.url):
            return self.render.image_url(cover.url, row.entry.ref, "card")
        use = self.services.uses.latest().get(row.entry.ref.lora)
        path = use.thumbnail if use else self.services.library_index.picture_beside(row.entry)
        return self.render.links.local_link(path) if path else ""

    def panel(self, view: View, *, trouble: str = "", typed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The open entry, or a file that waits to be kept, if there is one. `trouble` is why the last change was not
        saved, and `typed` is what was typed then.
        """
        services, ref = self.services, Ref.parse(view.open)
        item, file, weight = None, None, 1.0
        try:
            item = self.item(services.library_index.row(ref), self.coming())
            ref = item.ref
        except NotFound:
            try:
                file = own_file.waiting(services, ref)
            except HubUiError as error:
                trouble = error.message
        if item or file:
            weight = services.generation.default_weight(ref)
        return {
            "view": view,
            "address": view.to_address(),
            "services": services,
            "ticked": (),
            "close_address": page_address(replace(view, open="").to_address()),
            "item": item,
            "conflicts": conflicts(services, item.row) if item else (),
            "file": file,
            "ref": str(ref),
            "trouble": trouble,
            "typed": typed or {},
            "bases": bases,
            "longest_note": LONGEST_NOTE,
            "try_address": page_address(view.try_lora(str(ref), weight).to_address()),
        }

    def address(self, view: View, **changes: Any) -> str:
        """The page with another list, from its first page on."""
        look: LibraryView = replace(view.library, **{"number": 0, "tool": "", **changes})
        return page_address(replace(view, library=look, open="").to_address())


def bases() -> Mapping[str, list[tuple[str, str]]]:
    """Base models by the label of their architecture, as (id, label)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for base in dict.fromkeys(filter(None, map(base_models.by_id, base_models.choices()))):
        group = base_models.architecture_label(base.architecture) if base.architecture else base.label
        found.setdefault(group, []).append((base.id, base.label))
    return found


def conflicts(services: Services, row: LibraryRow) -> Sequence[str]:
    """Who contradicts the person about the base model."""
    record = services.lookup.find_record(row.entry.ref) if row.annotation.base_model else None
    return with_header_facts(services, record)[0].conflict_sentences if record else ()
