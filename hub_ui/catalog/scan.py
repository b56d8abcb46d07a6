"""The same answers as the index without one: every row is looked at. Slower, and needs nothing but SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from hub_ui.catalog.plan import FACETS, PLACES, SORT_FIELD, Counts, Facet, Hits, Place, Plan
from hub_ui.catalog.row import Row
from hub_ui.catalog.text import Terms, phrase


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
