"""The library as a list: its rows, and the filters beside it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from connectors.record import Kind
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.library_index import LibraryRow
from hub_ui.library_search import MARKS, Found, LibraryQuery
from hub_ui.web.library.notes import Note
from hub_ui.widgets.facets import Choice, Counts, Group

PAGE_SIZE = 50
# The rest of the trigger words is in the entry's own panel.
MOST_WORDS = 4
LONGEST_SNIPPET = 140
SORT_NAMES: Mapping[str, str] = {
    "name": N_("Name"),
    "added": N_("Last added"),
    "used": N_("Last used"),
    "size": N_("Largest first"),
    "base": N_("Base"),
    "hub": N_("Hub"),
}
# Marks that are always offered; the others, where there is something to find.
ALWAYS = ("is:favorite",)


@dataclass(frozen=True, kw_only=True)
class LibraryItem:
    """A row of the list. `image` is an address of this server, empty for none. `size` is of all its files."""

    row: LibraryRow
    title: str
    creator: str
    base: str
    image: str = ""
    size: int = 0
    notes: tuple[Note, ...] = ()
    is_open: bool = False

    @property
    def ref(self) -> Ref:
        return self.row.entry.ref

    @property
    def words(self) -> tuple[str, ...]:
        return self.row.entry.trigger_words[:MOST_WORDS]

    @property
    def more_words(self) -> int:
        return len(self.row.entry.trigger_words) - len(self.words)

    @property
    def age(self) -> str:
        return when(self.row.added)

    @property
    def snippet(self) -> str:
        text = " ".join(self.row.annotation.note.split())
        return text if len(text) <= LONGEST_SNIPPET else f"{text[:LONGEST_SNIPPET]}…"


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """One page of `found` rows; `number` counts pages from 0."""

    items: Sequence[LibraryItem]
    found: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.found // PAGE_SIZE))

    @property
    def first(self) -> int:
        """The number of its first row, counted from 1."""
        return self.number * PAGE_SIZE + 1


def when(seconds: float | None) -> str:
    """A time since 1970 as "12 days ago"; empty for none."""
    return format.ago(datetime.fromtimestamp(seconds, UTC).isoformat()) if seconds else ""


def groups(asked: LibraryQuery, found: Found) -> list[Group]:
    """A choice that would find nothing is left out, unless it is on."""
    counts, query = Counts(facets=found.facets), asked.query

    def choices(chosen: Collection[str], counted: Mapping[str, int], labels: Mapping[str, str]) -> tuple[Choice, ...]:
        made = (
            counts.choice(value, label, counted.get(value, 0), on=value in chosen) for value, label in labels.items()
        )
        return tuple(choice for choice in made if choice.on or counted.get(choice.value))

    marks = {name: _(mark.label).capitalize() for name, mark in MARKS.items()}
    yours = tuple(
        counts.choice(name, label, found.marks[name], on=name in asked.marks)
        for name, label in marks.items()
        if name in ALWAYS or name in asked.marks or found.marks[name]
    )
    # The query language knows no word for files of one's own.
    hubs = {name: HUBS[name].label for name in HUBS}
    kinds = {kind: _(kind.capitalize()) for kind in get_args(Kind) if kind != "runner"}
    tags = {tag: format.visible(tag) for tag in (*found.tags, *(tag for tag in query.tags if tag not in found.tags))}
    return [
        Group(facet="marks", name=_("Show"), choices=yours),
        Group(facet="bases", name=_("Base model"), choices=tuple(counts.bases(query.bases, found.facets.bases))),
        Group(facet="kinds", name=_("Kind"), choices=choices(query.kinds, found.facets.kinds, kinds)),
        Group(facet="tags", name=_("Your tags"), choices=choices(query.tags, found.tags, tags)),
        Group(facet="hubs", name=_("Hub"), choices=choices(query.hubs, found.facets.hubs, hubs)),
    ]
