"""A plan as queries of Tantivy that find what a scan would.

Order comes from order keys (see plan.py) in columns of the index. For relevance the classes are asked one after the
other, best first, until the page is full: for a common word the first one fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

import tantivy
from tantivy import FieldType, Occur, Order

from connectors.query import Range
from connectors.record import NSFW_LEVELS
from hub_ui.catalog import relevance
from hub_ui.catalog.index_schema import FIELDS, FOUND, key_field, schema
from hub_ui.catalog.plan import PLACES, Measure, Place, Plan, merit_of, phrases_at
from hub_ui.catalog.row import Terms
from hub_ui.catalog.search import most_first
from hub_ui.catalog.similar import Model, Named, rarity

# Similar ones that are put in order, and names that are counted before the most frequent are offered.
_MOST_ALIKE = 500
_MOST_NAMES = 64
# What a page's order is made of here, not by the index.
_MOST_SORTED = 2_000
# More than any number of a row.
_MOST = 2**40


def page(searcher: tantivy.Searcher, plan: Plan) -> tuple[int, ...]:
    """Row ids from the plan's offset on, best first."""
    found: list[tantivy.DocAddress] = []
    skip = plan.offset
    for number, query in enumerate(_queries_in_order(plan)):
        # Few are put in order here: that takes less than asking all the classes. Of a common word the whole titles and
        # the titles have filled the page.
        if number == 2 and skip + plan.limit > len(found) and (few := _few(searcher, plan)) is not None:
            return few[plan.offset : plan.offset + plan.limit]
        need = plan.limit - len(found)
        # More to skip than there can be finds nothing; the index would make room for all of it.
        if need <= 0 or skip >= searcher.num_docs:
            break
        hits = searcher.search(query, need, False, key_field(plan.sort), skip, Order.Desc).hits
        found += (address for _, address in hits)
        skip = 0 if hits or not skip else max(0, skip - number_of(searcher, query))
    return tuple(int(value or 0) for value in searcher.fast_field_values("id", found))


def _few(searcher: tantivy.Searcher, plan: Plan) -> tuple[int, ...] | None:
    """All that a query with words finds, best first; None for many. A score is the worth of a place."""
    if plan.terms is None:
        return None
    worth = [relevance.place_worth(place) for place in range(len(PLACES))]
    places = [
        tantivy.Query.const_score_query(_words_query(plan.terms, place), float(more - less))
        for place, more, less in zip(PLACES, worth, worth[1:], strict=False)
    ]
    matches = (Occur.Must, tantivy.Query.const_score_query(query_of(plan), 0.0))
    query = tantivy.Query.boolean_query([matches, *((Occur.Should, each) for each in places)])
    hits = searcher.search(query, _MOST_SORTED + 1, False).hits
    return None if len(hits) > _MOST_SORTED else _by_score(searcher, hits, _level_worth)


def _level_worth(key: int) -> int:
    return relevance.level_worth(relevance.level(merit_of(key)))


def _by_score(
    searcher: tantivy.Searcher, hits: Sequence[tuple[float, tantivy.DocAddress]], more: Callable[[int], int]
) -> tuple[int, ...]:
    """Row ids by their score and `more` for the order key, equals by relevance."""
    found = [address for _, address in hits]
    keys = [int(key or 0) for key in searcher.fast_field_values(key_field("relevance"), found)]
    ids = [int(id or 0) for id in searcher.fast_field_values("id", found)]
    ordered = sorted((-score - more(key), -key, id) for (score, _), key, id in zip(hits, keys, ids, strict=True))
    return tuple(id for *_, id in ordered)


def similar(searcher: tantivy.Searcher, model: Model, *, limit: int, nsfw: int) -> tuple[int, ...]:
    """What `similar.find_similar` finds: the scores are whole numbers, and equals stand by relevance."""
    shared = []
    for trait in model.traits:
        worth = trait.weight * rarity(searcher.doc_freq(trait.field, trait.value), searcher.num_docs)
        if worth:
            shared.append(tantivy.Query.const_score_query(term(trait.field, trait.value), float(worth)))
    if not shared:
        return ()
    fits = [any_of_values("base", model.architectures)] if model.architectures else []
    conditions = [tantivy.Query.const_score_query(each, 0.0) for each in (*fits, term("listed", nsfw))]
    query = all_of(
        [any_of(shared), *conditions],
        none=[term("access", "removed"), term("kind", "runner"), *(term("ref", ref) for ref in model.refs)],
    )
    return _by_score(searcher, searcher.search(query, _MOST_ALIKE, False).hits, lambda key: 0)[:limit]


def values(searcher: tantivy.Searcher, field: Named, prefix: str, *, limit: int) -> tuple[tuple[str, int], ...]:
    """What `similar.find_values` finds, but for names that are rarer than many others."""
    listed = searcher.terms_with_prefix(field, prefix, None, _MOST_NAMES)
    # The index lists names of LoRAs that have changed since, too.
    runner, names = term("kind", "runner"), (name for name, _ in listed if not name.startswith("="))
    counts = {name: number_of(searcher, all_of([term(field, name)], none=[runner])) for name in names}
    return tuple(most_first({name: number for name, number in counts.items() if number}).items())[:limit]


def _queries_in_order(plan: Plan) -> Iterator[tantivy.Query]:
    """The classes, best first. Levels of one place that follow each other are one query: the merit orders them."""
    conditions = _conditions(plan)
    if plan.terms is None or not plan.has_places:
        yield query_of(plan)
        return
    for number, classes in groupby(relevance.CLASSES, key=lambda each: each[0]):
        levels = [level for _, level in classes]
        parts = [_words_query(plan.terms, PLACES[number]), *conditions]
        if len(levels) < relevance.LEVELS:
            parts.append(any_of([term("level", level) for level in levels]))
        # Each place takes in the ones before it.
        yield all_of(parts, none=[_words_query(plan.terms, PLACES[number - 1])] if number else ())


def number_of(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    # `count` is missing from tantivy's type stub.
    found: Any = searcher.search(query, 1, True)
    return int(found.count)


def query_of(plan: Plan) -> tantivy.Query:
    text = [] if plan.terms is None else [_words_query(plan.terms, PLACES[-1])]
    return all_of([*text, *_conditions(plan)])


def _conditions(plan: Plan) -> list[tantivy.Query]:
    """All but the words."""
    # Not a set: its rows would all be looked up, though few may hold the words.
    queries = [any_of([term(name, value) for value in sorted(allowed)]) for name, allowed in plan.filters]
    queries += [_range(name, range) for name, range in plan.ranges]
    if plan.nsfw < len(NSFW_LEVELS) - 1:
        queries.append(term("listed", plan.nsfw))
    sets = ((plan.is_installed, plan.installed), (plan.is_favorite, plan.favorites))
    queries += [any_ref(refs) for is_wanted, refs in sets if is_wanted]
    unwanted = [term(name, value) for name, values in plan.excluded for value in sorted(values)]
    unwanted += [_phrase("any", each) for each in plan.without]
    unwanted += [any_ref(refs) for is_wanted, refs in sets if is_wanted is False]
    return [all_of(queries or [tantivy.Query.all_query()], none=unwanted)] if unwanted else queries


def _words_query(terms: Terms, place: Place) -> tantivy.Query:
    if place.is_whole:
        return term("whole", terms.whole) if terms.phrases else _nothing()

    def within(field: str) -> tantivy.Query:
        phrases = phrases_at(terms, place)
        return all_of([_phrase(field, words, open_end) for words, open_end in phrases] or [_nothing()])

    field = FIELDS[place.fields]
    if field == "own":
        return any_of([within(field), all_of([within("any")], none=[term("has", FOUND)])])
    return within(field)


def _phrase(field: str, words: Sequence[str], open_end: bool = False) -> tantivy.Query:
    if open_end:
        # Words that begin with it, with no letter changed: as fast as a pattern, which takes a while to prepare.
        return tantivy.Query.fuzzy_term_query(schema(), field, words[0], distance=0, prefix=True)
    if len(words) == 1:
        return term(field, words[0])
    return tantivy.Query.phrase_query(schema(), field, list(words))


def _range(name: Measure, range: Range) -> tantivy.Query:
    """Columns hold one more than the number, and 0 for none."""
    least = max(range.least or 0, 0) + 1
    most = _MOST if range.most is None else min(range.most, _MOST) + 1
    if most < least:
        return _nothing()
    return tantivy.Query.range_query(schema(), name, FieldType.Unsigned, least, most)


def any_ref(refs: Collection[str]) -> tantivy.Query:
    return any_of_values("ref", refs)


def any_of_values(name: str, values: Collection[Any]) -> tantivy.Query:
    if not values:
        return _nothing()
    if len(values) == 1:
        return term(name, next(iter(values)))
    return tantivy.Query.term_set_query(schema(), name, list(values))


def term(name: str, value: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(schema(), name, value, "basic")


def _nothing() -> tantivy.Query:
    return tantivy.Query.empty_query()


def all_of(queries: Sequence[tantivy.Query], *, none: Sequence[tantivy.Query] = ()) -> tantivy.Query:
    """With none of `none`."""
    if len(queries) == 1 and not none:
        return queries[0]
    if not queries:
        return tantivy.Query.all_query()
    parts = [(Occur.Must, query) for query in queries]
    return tantivy.Query.boolean_query([*parts, *((Occur.MustNot, query) for query in none)])


def any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    if len(queries) == 1:
        return queries[0]
    return tantivy.Query.boolean_query([(Occur.Should, query) for query in queries]) if queries else _nothing()
