"""The library as a list: its heading, search, filters, rows, and what is done with the chosen ones."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from connectors.record import Kind
from connectors.ref import Ref
from connectors.registry import HUBS, LOCAL, origin_label
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.library_index import LibraryRow
from hub_ui.library_search import MARKS, Chip, Found, LibraryQuery
from hub_ui.widgets.facets import Choice, Counts, Group
from hub_ui.widgets.render import Renderer

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
Tone = Literal["good", "problem", ""]


@dataclass(frozen=True, kw_only=True)
class Note:
    """A note about an entry; `button` labels an action `act` with `ref`."""

    text: str
    tone: Tone = ""
    act: str = ""
    button: str = ""
    ref: str = ""


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
    is_selected: bool = False
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
    def tint(self) -> int:
        return sum(self.ref.id.encode()) % 6

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

    @property
    def is_whole_selected(self) -> bool:
        return bool(self.items) and all(item.is_selected for item in self.items)


@dataclass(frozen=True, kw_only=True)
class Heading:
    """`count` is of all entries; `foreign` files have no entry; `text` is the lock file's own, empty if too long."""

    count: int
    summary: str
    folder: str
    lock: str
    text: str = ""
    foreign: tuple[str, ...] = ()
    said: str = ""


def when(seconds: float | None) -> str:
    """A time since 1970 as "12 days ago"; empty for none."""
    return format.ago(datetime.fromtimestamp(seconds, UTC).isoformat()) if seconds else ""


def heading_html(render: Renderer, heading: Heading) -> str:
    return render("library_heading", s=heading)


def search_html(
    render: Renderer,
    text: str,
    chips: Sequence[Chip],
    *,
    sort: str,
    problem: str = "",
    number: str = "",
    count: int = 0,
) -> str:
    """`number` is that of the text that the page has sent. Of an empty library there is nothing to search."""
    sorts = [(name, _(label)) for name, label in SORT_NAMES.items()]
    return render(
        "library_search", text=text, chips=chips, sorts=sorts, sort=sort, problem=problem, number=number, count=count
    )


def facets_html(render: Renderer, asked: LibraryQuery, found: Found) -> str:
    shown = groups(asked, found)
    return render("library_facets", groups=shown, chosen=sum(choice.on for group in shown for choice in group.choices))


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
    hubs = {name: _(origin_label(name)) for name in (*HUBS, LOCAL)}
    kinds = {kind: _(kind.capitalize()) for kind in get_args(Kind) if kind != "runner"}
    tags = {tag: format.visible(tag) for tag in (*found.tags, *(tag for tag in query.tags if tag not in found.tags))}
    return [
        Group(facet="marks", name=_("Show only"), choices=yours),
        Group(facet="bases", name=_("Base model"), choices=tuple(counts.bases(query.bases, found.facets.bases))),
        Group(facet="kinds", name=_("Kind"), choices=choices(query.kinds, found.facets.kinds, kinds)),
        Group(facet="tags", name=_("Your tags"), choices=choices(query.tags, found.tags, tags)),
        Group(facet="hubs", name=_("Hub"), choices=choices(query.hubs, found.facets.hubs, hubs)),
    ]


def list_html(render: Renderer, page: ListPage, *, count: int) -> str:
    """`count` is of all entries: an empty library says something else than a search that finds nothing."""
    return render("library_list", page=page, count=count)
