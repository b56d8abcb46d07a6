"""What a search of the catalog answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.query import Query, Sort
from connectors.record import NSFW_LEVELS, Record
from hub_ui.catalog.row import Row, Terms, asked_keys, phrase, terms


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
    """How many LoRAs each choice would show with the query's other filters as they are.

    A facet ignores its own filter, so the alternatives to what is chosen stay visible with their counts. A LoRA with
    versions for two base models counts under both, and is found under both.
    """

    hubs: Mapping[str, int] = field(default_factory=dict)
    bases: tuple[BaseCount, ...] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)
    licenses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One page of records; `total` counts all pages."""

    records: tuple[Record, ...]
    total: int
    facets: Facets


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
    Place(fields=("title", "names"), open_end=True),
    Place(fields=("title", "names", "about"), open_end=True),
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
    """`keys` counts each name a base filter could be; `groups` only says which stand under which."""

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
    chosen: dict[Facet, frozenset[str]] = {
        "hub": frozenset(query.hubs),
        "kind": frozenset(query.kinds),
        "key": frozenset(asked_keys(query.bases)),
    }
    asked: dict[Facet, bool] = {"hub": bool(query.hubs), "kind": bool(query.kinds), "key": bool(query.bases)}
    return Plan(
        terms=terms(query.text),
        filters={facet: chosen[facet] for facet in FACETS if asked[facet]},
        nsfw=NSFW_LEVELS.index(query.nsfw),
        sort=query.sort,
        offset=max(0, offset),
        limit=max(1, query.limit),
    )


def phrases(plan: Plan) -> list[str] | None:
    """What a row's text must hold for the widest place; None when nothing can be found."""
    if plan.terms is None:
        return []
    return _phrases(plan.terms, PLACES[-1]) or None


def find(rows: Iterable[tuple[int, Row]], plan: Plan) -> Hits:
    """`rows` hold all the phrases already."""
    seen = [(row_id, row, _failed(row, plan)) for row_id, row in rows if row.nsfw <= plan.nsfw]
    passed = [(row_id, row) for row_id, row, failed in seen if not failed]
    passed.sort(key=lambda pair: (_place(pair[1], plan), -getattr(pair[1], SORT_FIELD[plan.sort]), pair[0]))
    page = passed[plan.offset : plan.offset + plan.limit]
    return Hits(ids=tuple(row_id for row_id, _ in page), total=len(passed), counts=_counts(seen))


def _failed(row: Row, plan: Plan) -> tuple[Facet, ...]:
    """The filters a row does not pass."""
    return tuple(facet for facet in FACETS if facet in plan.filters and plan.filters[facet].isdisjoint(_of(row, facet)))


def _of(row: Row, facet: Facet) -> tuple[str, ...]:
    if facet == "key":
        return row.keys
    value = row.hub if facet == "hub" else row.kind
    return (value,) if value else ()


def _place(row: Row, plan: Plan) -> int:
    """The first place that holds all the words; one for all where the order is not by relevance."""
    if plan.terms is None or plan.sort != "relevance" or row.whole == plan.terms.whole:
        return -1
    holds = (number for number, place in enumerate(PLACES) if _holds(row, plan.terms, place))
    return next(holds, len(PLACES))


def _holds(row: Row, terms: Terms, place: Place) -> bool:
    texts = [getattr(row, name) for name in place.fields]
    return all(any(piece in text for text in texts) for piece in _phrases(terms, place))


def _phrases(terms: Terms, place: Place) -> list[str]:
    if not terms.phrases:
        return []
    *first, last = terms.phrases
    return [*map(phrase, first), phrase(last, open_end=terms.open_end and place.open_end)]


def _counts(seen: list[tuple[int, Row, tuple[Facet, ...]]]) -> Counts:
    keys = list(_counted(seen, "key"))
    passed = [row for _, row, failed in seen if not failed]
    return Counts(
        hubs=Counter(row.hub for row in _counted(seen, "hub")),
        kinds=Counter(row.kind for row in _counted(seen, "kind") if row.kind),
        keys=Counter(key for row in keys for key in row.keys),
        groups=frozenset(group for row in keys for group in row.groups),
        ranks=Counter(row.rank for row in passed if row.rank is not None),
        licenses=Counter(row.license for row in passed if row.license),
    )


def _counted(seen: list[tuple[int, Row, tuple[Facet, ...]]], facet: Facet) -> Iterator[Row]:
    """Rows that pass every filter but the facet's own."""
    return (row for _, row, failed in seen if failed in ((), (facet,)))
