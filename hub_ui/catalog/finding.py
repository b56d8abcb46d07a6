"""Rows as Tantivy documents, and a plan as Tantivy queries.

Queries are put together from parts, never parsed from text. What is found is ordered by a number each document carries,
not by a score: the order depends on the LoRA alone, and is the same in any index (see plan.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tantivy
from tantivy import Occur, Order

from hub_ui.catalog.plan import FACETS, PLACES, SORT_FIELD, Counts, Facet, Hits, Place, Plan
from hub_ui.catalog.row import Row
from hub_ui.catalog.text import Terms

# Buckets of a facet: more than there are base models and licence names.
_MOST_BUCKETS = 10_000
# An order key is the number to sort by, then the row's id upside down: equal numbers stand in the order first seen.
_ID_BITS = 26
_ID_MASK = (1 << _ID_BITS) - 1


def schema_of_rows() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in ("title", "names", "about"):
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("id", "whole"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("hub", "kind", "key", "group", "license"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("nsfw", "rank"):
        builder.add_integer_field(name, indexed=True, fast=True)
    for name in sorted(set(SORT_FIELD.values())):
        builder.add_integer_field(name, fast=True)
    return builder.build()


def document(row_id: int, row: Row, schema: tantivy.Schema) -> tantivy.Document:
    values: dict[str, Any] = {
        "id": str(row_id),
        "whole": row.whole,
        "title": row.title,
        "names": row.names,
        "about": row.about,
        "hub": row.hub,
        "kind": row.kind or [],
        "key": list(row.keys),
        "group": list(row.groups),
        "license": row.license or [],
        "nsfw": row.nsfw,
        "rank": [] if row.rank is None else row.rank,
    }
    orders = {name: _order_key(getattr(row, name), row_id) for name in set(SORT_FIELD.values())}
    return tantivy.Document.from_dict(values | orders, schema)


def _order_key(number: int, row_id: int) -> int:
    return (number << _ID_BITS) | (_ID_MASK - row_id)


def find(schema: tantivy.Schema, searcher: tantivy.Searcher, plan: Plan) -> Hits:
    matches = _terms_query(schema, plan.terms, PLACES[-1])
    everything = _all_of([matches, *_filters(schema, plan)])
    total = _count(searcher, everything)
    return Hits(
        ids=tuple(_page(schema, searcher, plan, everything, total)),
        total=total,
        counts=_counts(schema, searcher, plan, matches),
    )


def _page(
    schema: tantivy.Schema, searcher: tantivy.Searcher, plan: Plan, everything: tantivy.Query, total: int
) -> Iterator[int]:
    """Place after place, each without what the places before it had, until the page is full."""
    skip, room = plan.offset, min(plan.limit, total - plan.offset)
    for query in _ordered_queries(schema, plan, everything):
        if room <= 0:
            return
        size = total if query is everything else _count(searcher, query)
        if skip < size:
            take = min(room, size - skip)
            found = searcher.search(query, take, False, SORT_FIELD[plan.sort], skip, Order.Desc)
            yield from (_ID_MASK - (key & _ID_MASK) for key, _ in found.hits)
            room -= take
        skip = max(0, skip - size)


def _ordered_queries(schema: tantivy.Schema, plan: Plan, everything: tantivy.Query) -> Iterator[tantivy.Query]:
    if plan.terms is None or plan.sort != "relevance":
        yield everything
        return
    before = _term(schema, "whole", plan.terms.whole)
    yield _all_of([everything, before])
    for place in PLACES:
        here = _terms_query(schema, plan.terms, place)
        yield tantivy.Query.boolean_query([(Occur.Must, everything), (Occur.Must, here), (Occur.MustNot, before)])
        before = here


def _count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    # `count` is missing from tantivy's type stub.
    found: Any = searcher.search(query, 1, True)
    return int(found.count)


def _terms_query(schema: tantivy.Schema, terms: Terms | None, place: Place) -> tantivy.Query:
    if terms is None:
        return tantivy.Query.all_query()
    if not terms.phrases:
        return _any_of([])
    *first, last = terms.phrases
    open_end = terms.open_end and place.open_end
    found = [_anywhere(schema, place, phrase, open_end=False) for phrase in first]
    return _all_of([*found, _anywhere(schema, place, last, open_end=open_end)])


def _anywhere(schema: tantivy.Schema, place: Place, phrase: Sequence[str], *, open_end: bool) -> tantivy.Query:
    return _any_of([_in_field(schema, name, phrase, open_end=open_end) for name in place.fields])


def _in_field(schema: tantivy.Schema, name: str, phrase: Sequence[str], *, open_end: bool) -> tantivy.Query:
    if open_end:
        # A word holds letters and digits only (see text.py), so it means itself in a pattern too.
        return tantivy.Query.regex_query(schema, name, f"{phrase[0]}.*")
    if len(phrase) == 1:
        return _term(schema, name, phrase[0])
    return tantivy.Query.phrase_query(schema, name, list(phrase))


def _filters(schema: tantivy.Schema, plan: Plan, *, but: Facet | None = None) -> list[tantivy.Query]:
    levels = _any_of([_term(schema, "nsfw", level) for level in range(plan.nsfw + 1)])
    chosen = [
        _any_of([_term(schema, facet, value) for value in sorted(plan.filters[facet])])
        for facet in FACETS
        if facet in plan.filters and facet != but
    ]
    return [levels, *chosen]


def _term(schema: tantivy.Schema, name: str, value: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(schema, name, value, "basic")


def _all_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(Occur.Must, query) for query in queries])


def _any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(Occur.Should, query) for query in queries])


def _counts(schema: tantivy.Schema, searcher: tantivy.Searcher, plan: Plan, matches: tantivy.Query) -> Counts:
    """One pass for all facets without a filter of their own, and one for each that has one."""
    own = {facet: ("key", "group") if facet == "key" else (facet,) for facet in plan.filters}
    shared = {"hub", "kind", "key", "group", "rank", "license"}.difference(*own.values())
    found = _buckets(searcher, _all_of([matches, *_filters(schema, plan)]), shared)
    for facet, names in own.items():
        found |= _buckets(searcher, _all_of([matches, *_filters(schema, plan, but=facet)]), names)
    return Counts(
        hubs=found["hub"],
        kinds=found["kind"],
        keys=found["key"],
        groups=frozenset(found["group"]),
        ranks={int(rank): count for rank, count in found["rank"].items()},
        licenses=found["license"],
    )


def _buckets(searcher: tantivy.Searcher, query: tantivy.Query, names: Iterable[str]) -> dict[str, Mapping[Any, int]]:
    limits = {"size": _MOST_BUCKETS, "segment_size": _MOST_BUCKETS}
    answer = searcher.aggregate(query, {name: {"terms": {"field": name, **limits}} for name in names})
    return {name: {bucket["key"]: bucket["doc_count"] for bucket in found["buckets"]} for name, found in answer.items()}
