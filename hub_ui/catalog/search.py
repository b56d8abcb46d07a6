"""A search of the catalog: what it answers, the plan for it, and a scan of all rows that works without the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.query import Query, Sort
from connectors.record import NSFW_LEVELS, Record
from hub_ui.catalog.row import Row, Terms, filter_keys, phrase, terms


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseCount:
    """An architecture with its base models as `children`, or one of those. `id` is a value for `Query.bases`.

    A name that no architecture is known for stands at the top with no children.
    """

    id: str
    label: str
    count: int
    children: tuple[BaseCount, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Facets:
    """How many LoRAs each choice would show. A facet ignores its own filter; a LoRA may count under several values.

    `sizes` counts by the upper end of a step in bytes (SIZE_STEPS), `permits` by what a licence allows, `levels` by the
    lowest level of mature images at which a LoRA is listed. `creators` and `tags` have the most frequent ones only.
    """

    hubs: Mapping[str, int] = field(default_factory=dict)
    bases: tuple[BaseCount, ...] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)
    licenses: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[int, int] = field(default_factory=dict)
    permits: Mapping[str, int] = field(default_factory=dict)
    access: Mapping[str, int] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)
    creators: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    installed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """One page of records; `total` counts all pages.

    `seen` is when a hub last listed the one of the page that was not listed for longest; None for an empty page.
    """

    records: tuple[Record, ...]
    total: int
    facets: Facets
    seen: str | None = None


Facet = Literal["hub", "kind", "key"]
FACETS: tuple[Facet, ...] = ("hub", "kind", "key")
SORT_FIELD: Mapping[Sort, str] = {
    "relevance": "downloads",
    "downloads": "downloads",
    "likes": "likes",
    "newest": "newest",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a LoRA's words may be to count: `fields` of its row, or the whole title."""

    fields: tuple[str, ...]
    open_end: bool = False


# Each takes in all that the ones before it do.
PLACES: tuple[Place, ...] = (
    Place(fields=("title",)),
    Place(fields=("title",), open_end=True),
    Place(fields=("title", "words"), open_end=True),
    Place(fields=("title", "words", "tag_words"), open_end=True),
    Place(fields=("title", "words", "tag_words", "about"), open_end=True),
    Place(fields=("title", "words", "tag_words", "about", "found"), open_end=True),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`filters` has the allowed values for each facet that is filtered by."""

    terms: Terms | None
    filters: Mapping[Facet, frozenset[str]]
    nsfw: int
    sort: Sort
    offset: int
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """`keys` counts each name a base filter could be; `groups` are the pairs of architecture and base model."""

    hubs: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, int] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    ranks: Mapping[int, int] = field(default_factory=dict)
    licenses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """Row ids of one page in order."""

    ids: tuple[int, ...]
    total: int
    counts: Counts


def plan(query: Query, offset: int) -> Plan:
    values: dict[Facet, tuple[str, ...]] = {"hub": query.hubs, "kind": query.kinds, "key": query.bases}
    keys = filter_keys(query.bases)
    return Plan(
        terms=terms(query.text),
        filters={facet: frozenset(keys if facet == "key" else values[facet]) for facet in FACETS if values[facet]},
        nsfw=NSFW_LEVELS.index(query.nsfw),
        sort=query.sort,
        offset=max(0, offset),
        limit=max(1, query.limit),
    )


def phrases_at(terms: Terms, place: Place) -> list[tuple[tuple[str, ...], bool]]:
    """The phrases that `place` must hold, each with whether words that begin with it count too."""
    last = len(terms.phrases) - 1
    return [(words, terms.open_end and place.open_end and i == last) for i, words in enumerate(terms.phrases)]


def phrases(plan: Plan) -> list[str] | None:
    """What a row's text must hold for the widest place; None when nothing can be found."""
    return [] if plan.terms is None else _texts_at(plan.terms, PLACES[-1]) or None


def find(rows: Iterable[tuple[int, Row]], plan: Plan) -> Hits:
    """`rows` hold all the phrases already."""
    found: list[tuple[int, Row, tuple[Facet, ...]]] = []
    for row_id, row in rows:
        if row.nsfw <= plan.nsfw:
            values: dict[Facet, tuple[str | None, ...]] = {"hub": row.hubs, "kind": (row.kind,), "key": row.keys}
            failed = tuple(facet for facet, allowed in plan.filters.items() if allowed.isdisjoint(values[facet]))
            found.append((row_id, row, failed))
    hits = [(row_id, row) for row_id, row, failed in found if not failed]
    hits.sort(key=lambda hit: (_place(hit[1], plan), -getattr(hit[1], SORT_FIELD[plan.sort]), hit[0]))

    def rows_for(facet: Facet) -> list[Row]:
        """Rows that pass every filter but the facet's own."""
        return [row for _, row, failed in found if failed in ((), (facet,))]

    return Hits(
        ids=tuple(row_id for row_id, _ in hits[plan.offset : plan.offset + plan.limit]),
        total=len(hits),
        counts=Counts(
            hubs=Counter(hub for row in rows_for("hub") for hub in row.hubs),
            kinds=Counter(row.kind for row in rows_for("kind") if row.kind),
            keys=Counter(key for row in rows_for("key") for key in row.keys),
            groups=frozenset(group for row in rows_for("key") for group in row.groups),
            ranks=Counter(row.rank for _, row in hits if row.rank is not None),
            licenses=Counter(row.license for _, row in hits if row.license),
        ),
    )


def _place(row: Row, plan: Plan) -> int:
    """The first place that holds all the words; one for all where the order is not by relevance."""
    if plan.terms is None or plan.sort != "relevance" or row.whole == plan.terms.whole:
        return -1
    for number, place in enumerate(PLACES):
        texts = [getattr(row, name) for name in place.fields]
        if all(any(piece in text for text in texts) for piece in _texts_at(plan.terms, place)):
            return number
    return len(PLACES)


def _texts_at(terms: Terms, place: Place) -> list[str]:
    return [phrase(words, open_end=open_end) for words, open_end in phrases_at(terms, place)]
