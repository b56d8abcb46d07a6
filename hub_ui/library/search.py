"""Search the library: the query language of the app, with extra words for a library (`is:favorite`)."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal

from cachetools import LRUCache

from connectors import query_language
from connectors.errors import BadQuery, suggestion
from connectors.query import Query
from connectors.ref import Ref
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.catalog import search
from hub_ui.catalog.row import Row, fold_name
from hub_ui.catalog.search import FACETS, FILTERS, Condition, Facets, facet_values, plan
from hub_ui.library.index import LibraryIndex, LibraryRow

# A library is private, so every NSFW level is searched.
_ALL = Query(nsfw="explicit")
_MARK = re.compile(r"(is|has):[\w-]*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A condition of library rows. `holds` gets a row and the refs that have an update; `label` is for a chip."""

    label: str
    holds: Callable[[LibraryRow, Collection[Ref]], bool]


MARKS: Mapping[str, Mark] = {
    "is:favorite": Mark(label=N_("favourites"), holds=lambda row, _: row.annotation.favorite),
    "is:missing": Mark(label=N_("missing files"), holds=lambda row, _: row.is_missing),
    "is:outdated": Mark(label=N_("with an update"), holds=lambda row, outdated: row.entry.ref in outdated),
    "is:removed": Mark(label=N_("gone from their hub"), holds=lambda row, _: row.is_removed),
    "has:note": Mark(label=N_("with a note"), holds=lambda row, _: bool(row.annotation.note)),
    "has:tag": Mark(label=N_("with your tag"), holds=lambda row, _: bool(row.annotation.tags)),
    "has:values": Mark(label=N_("with your own values"), holds=lambda row, _: row.annotation.has_own_values),
}
NEVER_USED: Mapping[Ref, float] = MappingProxyType({})
_MOST_KEPT = 4
# The facets that are counted.
_COUNTED = ("hubs", "keys", "groups", "kind", "tags")
_ALIASES = {"is:favourite": "is:favorite", "has:notes": "has:note", "has:tags": "has:tag", "is:gone": "is:removed"}

Sort = Literal["name", "added", "used", "size", "base", "hub"]
# The sort keys; equal rows are sorted by name. `used` has the time in seconds when a LoRA last made an image.
SORTS: Mapping[Sort, Callable[[LibraryRow, Mapping[Ref, float]], Any]] = {
    "name": lambda row, _: 0,
    "added": lambda row, _: -row.added,
    "used": lambda row, used: -used.get(row.entry.ref.lora, 0.0),
    "size": lambda row, _: -row.entry.size,
    "base": lambda row, _: (not row.base, row.base.casefold()),
    "hub": lambda row, _: row.entry.ref.hub,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryQuery:
    """A query of the library. `marks` are keys of MARKS that must hold, `without` are keys that must not."""

    query: Query = _ALL
    marks: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that `parse` reads as this query."""
        level = "" if self.query.nsfw == _ALL.nsfw else f"nsfw:{self.query.nsfw}"
        rest = query_language.format(replace(self.query, nsfw="soft"))
        return " ".join(filter(None, (rest, *self.marks, *(f"-{mark}" for mark in self.without), level)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """One condition: its label, and the text of the query without it."""

    label: str
    rest: str
    is_excluded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """All matching rows in order, and the counts of filters, each of which ignores its own filter.

    `marks` counts each of MARKS, `tags` the tags of the annotations.
    """

    rows: tuple[LibraryRow, ...]
    facets: Facets
    marks: Mapping[str, int]
    tags: Mapping[str, int]


def parse(text: str, *, is_strict: bool = True) -> LibraryQuery:
    """Parse a query of the library. Unknown conditions raise BadQuery, or are ignored if `is_strict` is False."""
    query = query_language.parse(text, _ALL, mistakes=None if is_strict else {})
    marks, plain = _split_marks(query.text.split(), is_strict)
    without, words = _split_marks([value for key, value in query.excluded if key == "text"], is_strict)
    excluded = tuple((key, value) for key, value in query.excluded if key != "text" or value in words)
    return LibraryQuery(query=replace(query, text=" ".join(plain), excluded=excluded), marks=marks, without=without)


def _split_marks(words: Sequence[str], is_strict: bool) -> tuple[tuple[str, ...], list[str]]:
    """Return the words that are keys of MARKS without duplicates, and the other words."""
    found: dict[str, None] = {}
    plain = []
    for word in words:
        if _MARK.fullmatch(word) is None:
            plain.append(word)
            continue
        mark = _ALIASES.get(word.casefold(), word.casefold())
        if mark in MARKS:
            found[mark] = None
        elif is_strict:
            near = suggestion(mark, MARKS)
            text = _("“{word}” is nothing that a LoRA here can be.{near} Choose one of: {marks}.")
            raise BadQuery(text.format(word=word[:40], near=near, marks=", ".join(MARKS)))
    return tuple(found), plain


def chips(query: LibraryQuery) -> tuple[Chip, ...]:
    found = [
        Chip(
            label=format.part_label(part),
            rest=replace(query, query=part.rest).text,
            is_excluded=part.is_excluded,
        )
        for part in query_language.parts(query.query)
        if (part.key, part.value) != ("nsfw", _ALL.nsfw)
    ]
    for name in query.marks:
        rest = replace(query, marks=tuple(mark for mark in query.marks if mark != name))
        found.append(Chip(label=_(MARKS[name].label), rest=rest.text))
    for name in query.without:
        rest = replace(query, without=tuple(mark for mark in query.without if mark != name))
        label = _("not {label}").format(label=_(MARKS[name].label))
        found.append(Chip(label=label, rest=rest.text, is_excluded=True))
    return tuple(found)


def toggle(query: LibraryQuery, facet: str, value: str) -> LibraryQuery:
    """Add the choice of a facet to the query, or remove it if it is chosen.

    `facet` is the key of a filter, or "marks". Raises BadQuery for another choice.
    """
    if facet == "marks":
        if value not in MARKS:
            raise BadQuery(_("That is no filter of this page."))
        marks = tuple(choice for choice in query.marks if choice != value)
        return replace(query, marks=marks if value in query.marks else (*query.marks, value))
    if facet not in FILTERS:
        raise BadQuery(_("That is no filter of this page."))
    read, attribute = FILTERS[facet].read(value), FILTERS[facet].attribute
    choices = getattr(query.query, attribute)
    is_on = fold_name(read) in map(fold_name, choices)
    new_choices = (
        tuple(choice for choice in choices if fold_name(choice) != fold_name(read)) if is_on else (*choices, read)
    )
    changes: dict[str, Any] = {attribute: new_choices}
    return replace(query, query=replace(query.query, **changes))


class LibrarySearch:
    """Searches of the index, cached and thread-safe."""

    def __init__(self, index: LibraryIndex) -> None:
        self._index = index
        self._lock = threading.Lock()
        # Cache the last results: turning a page or ticking a row repeats the query. The index returns the same rows
        # object until a change.
        self._last: LRUCache[Any, tuple[Sequence[LibraryRow], Mapping[Ref, float], Found]] = LRUCache(_MOST_KEPT)

    def find(
        self,
        query: LibraryQuery,
        *,
        sort: Sort = "name",
        outdated: frozenset[Ref] = frozenset(),
        used: Mapping[Ref, float] = NEVER_USED,
    ) -> Found:
        """Find rows. `outdated` are refs with an update, `used` has the times at which LoRAs last made an image."""
        rows, cache_key = self._index.rows(), (query, sort, outdated)
        with self._lock:
            known = self._last.get(cache_key)
        if known is not None and known[0] is rows and known[1] is used:
            return known[2]
        found = find(rows, query, sort, outdated, used)
        with self._lock:
            self._last[cache_key] = rows, used, found
        return found


def find(
    rows: Sequence[LibraryRow],
    query: LibraryQuery,
    sort: Sort,
    outdated: frozenset[Ref],
    used: Mapping[Ref, float],
) -> Found:
    installed = [row.entry.ref for row in rows] if query.query.installed is not None else ()
    favorites = [row.entry.ref for row in rows if row.annotation.favorite] if query.query.favorite is not None else ()
    wanted = plan(query.query, {"installed": installed, "favorite": favorites})
    phrases = search.phrases(wanted)
    spelled = {fold_name(tag): tag for row in rows for tag in row.annotation.tags}
    own_tags = frozenset(spelled)
    hits: list[LibraryRow] = []
    marks = dict.fromkeys(MARKS, 0)
    # Rows that fail a single condition: that filter's counts include them.
    near_misses: dict[Condition, list[Row]] = {condition: [] for condition in map(FACETS.__getitem__, _COUNTED)}
    holds = [(name, mark.holds) for name, mark in MARKS.items()]
    for row in rows:
        text = f"{row.row.title}{row.row.words}{row.row.tag_words}{row.row.about}"
        if phrases is None or not all(phrase in text for phrase in phrases) or search.is_excluded(row.row, wanted):
            continue
        holding = [name for name, is_so in holds if is_so(row, outdated)]
        if any(name in query.without for name in holding):
            continue
        lacking = [mark for mark in query.marks if mark not in holding]
        failed = search.failed_conditions(row.row, wanted)
        if not failed and len(lacking) < 2:
            for name in holding:
                marks[name] += not lacking or lacking == [name]
        if not lacking and not failed:
            hits.append(row)
        elif not lacking and len(failed) == 1 and (only := failed.pop()) in near_misses:
            near_misses[only].append(row.row)
    found = [row.row for row in hits]
    counts = {
        name: Counter(chain.from_iterable(facet_values(name, row) for row in (*found, *near_misses[FACETS[name]])))
        for name in _COUNTED
    }
    counts["tags"] = Counter({tag: count for tag, count in counts["tags"].items() if tag in own_tags})
    order = SORTS[sort]
    return Found(
        rows=tuple(sorted(hits, key=lambda row: (order(row, used), row.name, row.entry.ref))),
        facets=search.facets(counts, lambda names: _spellings(names, rows)),
        marks=marks,
        tags={spelled[tag]: count for tag, count in search.most_first(counts["tags"]).items()},
    )


def _spellings(names: Sequence[str], rows: Sequence[LibraryRow]) -> dict[str, str]:
    """Return the spelling of each base model that is in no table."""
    spellings = {fold_name(name): name for row in rows if (name := row.entry.base_model)}
    return {name: format.visible(spellings.get(name, name)) for name in names}
