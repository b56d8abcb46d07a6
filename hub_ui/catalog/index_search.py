"""Searches in Tantivy: how a row becomes a document, and a plan becomes queries that find what a scan would.

Order comes from order keys (see plan.py) in columns of the index. For relevance the classes are asked one after the
other, best first, until the page is full: for a common word the first one fills it. Facets are counted from columns
that have all of a row's values as one text, which is several times faster than counting each value; only creators and
tags have too many combinations for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import cache
from itertools import groupby, takewhile
from typing import Any

import tantivy
from tantivy import FieldType, Occur, Order

from connectors.query import Range
from connectors.record import NSFW_LEVELS
from hub_ui.catalog import relevance
from hub_ui.catalog.plan import (
    FACETS,
    MEASURES,
    NUMBER,
    PLACES,
    VALUES,
    Condition,
    FacetName,
    Measure,
    Place,
    Plan,
    order_key,
    phrases_at,
    size_step,
    tie,
)
from hub_ui.catalog.row import SEPARATOR, Row, Terms
from hub_ui.catalog.search import Counts, most_first
from hub_ui.catalog.similar import Model, Named, rarity

# Raise it whenever the schema, a row's words or the order keys change: an index of another format is rebuilt.
FORMAT = 3
# Buckets of a facet: more than there are combinations of base models, and licence names.
_MAX_BUCKETS = 10_000
# Of creators and tags, what each part of the index counts at first, how many more are few enough to count them all, and
# how many times as frequent a value must be as what may be missed.
_TOP_BUCKETS = 1_000
_FEW_VALUES = 5_000
_FAR = 8
# Similar ones that are put in order, and names that are counted before the most frequent are offered.
_MOST_ALIKE = 500
_MOST_NAMES = 64
# Between the keys and the groups of a row in their one column. No folded name holds it.
_PARTED = "\x1d"

# More than any number of a row.
_MOST = 2**40

# The texts of a place as fields of the index. Texts that are looked through together are one field: one long list of
# rows is faster to read than several.
_FIELDS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("title", "words", "tag_words"): ("short",),
    ("title", "words", "tag_words", "about"): ("main",),
    ("title", "words", "tag_words", "about", "found"): ("main", "found"),
}
_ANYWHERE = ("main", "found")
_Values = tuple[tuple[FacetName, Iterable[Any]], ...]


def _bases(text: str) -> _Values:
    keys, _, groups = text.partition(_PARTED)
    return ("keys", _split(keys)), ("groups", _split(groups))


def _split(text: str) -> list[str]:
    return [value for value in text.split(SEPARATOR) if value]


def _numbers(name: FacetName) -> Callable[[Any], _Values]:
    return lambda number: ((name, (int(number) - 1,) if number else ()),)


def _texts(name: FacetName) -> Callable[[Any], _Values]:
    return lambda text: ((name, (text,) if text else ()),)


# Columns that have all of a row's values for a facet as one text or number, and what that one has.
_COLUMNS: Mapping[str, Callable[[Any], _Values]] = {
    "all_hubs": lambda text: (("hubs", _split(text)),),
    "all_bases": _bases,
    "all_kinds": _texts("kinds"),
    "all_licenses": _texts("licenses"),
    "all_permits": lambda text: (("permits", _split(text)),),
    "all_access": _texts("access"),
    "rank": _numbers("ranks"),
    "size_step": _numbers("sizes"),
    "nsfw": _numbers("levels"),
}
_FACETS_OF: Mapping[str, FacetName] = {name: read("")[0][0] for name, read in _COLUMNS.items()}
_TOP: Mapping[FacetName, str] = {"creators": "creator", "tags": "tag"}


@cache
def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in ("title", "short", *_ANYWHERE):
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("row", "whole", "ref", *VALUES):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=name in _TOP.values())
    for name in _COLUMNS:
        if name.startswith("all_"):
            builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("level", "listed"):
        builder.add_unsigned_field(name, indexed=True)
    for name in ("size_step", "nsfw", *MEASURES, *map(_key_field, NUMBER)):
        builder.add_unsigned_field(name, fast=True)
    builder.add_unsigned_field("id", fast=True)
    return builder.build()


def document(row_id: int, row: Row) -> tantivy.Document:
    """Numbers are one more than the row's: 0 stands for none, since a column with gaps is slower to count."""
    number = tie(row)
    values = {
        "id": row_id,
        "row": str(row_id),
        "whole": row.whole,
        "title": row.title,
        "short": [row.title, row.words, row.tag_words],
        "main": [row.title, row.words, row.tag_words, row.about],
        "found": row.found,
        "ref": list(row.refs),
        "level": relevance.level(row.merit),
        "listed": list(range(row.nsfw, len(NSFW_LEVELS))),
        "all_hubs": SEPARATOR.join(row.hubs),
        "all_bases": SEPARATOR.join((*row.keys, _PARTED, *row.groups)),
        "all_kinds": row.kind or "",
        "all_licenses": row.license or "",
        "all_permits": SEPARATOR.join(row.permits),
        "all_access": row.access,
        "size_step": 0 if row.size is None else size_step(row.size) + 1,
        "nsfw": row.nsfw + 1,
    }
    values |= {name: list(read(row)) for name, read in VALUES.items()}
    values |= {name: 0 if (value := read(row)) is None else value + 1 for name, read in MEASURES.items()}
    values |= {_key_field(sort): order_key(row, sort, number) for sort in NUMBER}
    return tantivy.Document.from_dict(values, schema())


def _key_field(sort: str) -> str:
    return f"by_{sort}"


def page(searcher: tantivy.Searcher, plan: Plan) -> tuple[int, ...]:
    """Row ids from the plan's offset on, best first."""
    found: list[tantivy.DocAddress] = []
    skip = plan.offset
    for query in _queries_in_order(plan):
        need = plan.limit - len(found)
        # More to skip than there can be finds nothing; the index would make room for all of it.
        if need <= 0 or skip >= searcher.num_docs:
            break
        hits = searcher.search(query, need, False, _key_field(plan.sort), skip, Order.Desc).hits
        found += (address for _, address in hits)
        skip = 0 if hits or not skip else max(0, skip - _count(searcher, query))
    return tuple(int(value or 0) for value in searcher.fast_field_values("id", found))


def count(searcher: tantivy.Searcher, plan: Plan, executor: Executor) -> Counts:
    """One pass for the facets that ignore nothing in use, and one for each condition that a facet ignores."""
    used = plan.conditions()
    columns: dict[Condition | None, list[str]] = {}
    for column, facet in _FACETS_OF.items():
        ignored = FACETS[facet].ignores
        columns.setdefault(ignored if ignored in used else None, []).append(column)
    plans = {condition: plan.but(condition) if condition else plan for condition in columns}
    top = {
        facet: executor.submit(_most, searcher, _query(plan.but(FACETS[facet].ignores)), field, FACETS[facet].most or 0)
        for facet, field in _TOP.items()
    }
    passes = [executor.submit(_pass, searcher, _query(plans[key]), names) for key, names in columns.items()]
    installed = executor.submit(_installed, searcher, plan.but("installed"))
    counts: dict[FacetName, dict[Any, int]] = {facet: {} for facet in FACETS}
    for done in passes:
        for column, buckets in done.result().items():
            for value, number in buckets:
                for facet, values in _COLUMNS[column](value):
                    for each in values:
                        counts[facet][each] = counts[facet].get(each, 0) + number
    # Every LoRA has one level.
    total = sum(number for level, number in counts["levels"].items() if level <= plan.nsfw)
    most = {facet: done.result() for facet, done in top.items()}
    return Counts(
        total=total,
        facets={facet: most[facet] if facet in most else most_first(found) for facet, found in counts.items()},
        installed=installed.result(),
    )


def _pass(searcher: tantivy.Searcher, query: tantivy.Query, columns: Iterable[str]) -> dict[str, list[tuple[Any, int]]]:
    limits = {"size": _MAX_BUCKETS, "segment_size": _MAX_BUCKETS}
    answer = searcher.aggregate(query, {name: {"terms": {"field": name, **limits}} for name in columns})
    return {name: [(b["key"], b["doc_count"]) for b in found["buckets"]] for name, found in answer.items()}


def _most(searcher: tantivy.Searcher, query: tantivy.Query, field: str, most: int) -> dict[str, int]:
    """The most frequent values with their numbers, equals by name.

    Each part of the index hands in its most frequent ones only, so that a value may miss some of its number. Where that
    may matter, few values are counted again without a limit, and of many the likely ones.
    """
    found = _terms(searcher, query, field, size=_TOP_BUCKETS)
    buckets, unseen = found["buckets"], found["sum_other_doc_count"]
    least, last = (buckets[place]["doc_count"] for place in (most - 1, -1)) if unseen else (0, 0)
    if unseen and ((found["doc_count_error_upper_bound"] or 0) * _FAR > least or least == last):
        if unseen <= _FEW_VALUES:
            found = _terms(searcher, query, field, size=_MAX_BUCKETS)
        else:
            likely = [bucket["key"] for bucket in buckets[: 3 * most]]
            found = _terms(searcher, query, field, size=_TOP_BUCKETS, include=likely)
        buckets = found["buckets"]
    least = buckets[most - 1]["doc_count"] if len(buckets) > most else 0
    kept = takewhile(lambda bucket: bucket["doc_count"] >= least, buckets)
    return most_first({bucket["key"]: bucket["doc_count"] for bucket in kept}, most)


def _terms(searcher: tantivy.Searcher, query: tantivy.Query, field: str, *, size: int, **more: list[str]) -> Any:
    terms = {"field": field, "size": size, "segment_size": size, **more}
    return searcher.aggregate(query, {field: {"terms": terms}})[field]


def _installed(searcher: tantivy.Searcher, plan: Plan) -> int:
    return _count(searcher, _all_of([_query(plan), _any_ref(plan)])) if plan.installed else 0


def similar(searcher: tantivy.Searcher, model: Model, *, limit: int, nsfw: int) -> tuple[int, ...]:
    """What `similar.find_similar` finds: the scores are whole numbers, and equals stand by relevance."""
    shared = []
    for trait in model.traits:
        worth = trait.weight * rarity(searcher.doc_freq(trait.field, trait.value), searcher.num_docs)
        if worth:
            shared.append(tantivy.Query.const_score_query(_term(trait.field, trait.value), float(worth)))
    if not shared:
        return ()
    fits = [_any_of([_term("base", each) for each in model.architectures])] if model.architectures else []
    conditions = [tantivy.Query.const_score_query(each, 0.0) for each in (*fits, _term("listed", nsfw))]
    query = _all_of(
        [_any_of(shared), *conditions], none=[_term("access", "removed"), *(_term("ref", ref) for ref in model.refs)]
    )
    hits = searcher.search(query, _MOST_ALIKE, False).hits
    found = [address for _, address in hits]
    keys = searcher.fast_field_values(_key_field("relevance"), found)
    ids = searcher.fast_field_values("id", found)
    ordered = sorted(
        (-score, -int(key or 0), int(id or 0)) for (score, _), key, id in zip(hits, keys, ids, strict=True)
    )
    return tuple(id for *_, id in ordered[:limit])


def values(searcher: tantivy.Searcher, field: Named, prefix: str, *, limit: int) -> tuple[tuple[str, int], ...]:
    """What `similar.find_values` finds, but for names that are rarer than many others."""
    listed = searcher.terms_with_prefix(field, prefix, None, _MOST_NAMES)
    # The index lists names of LoRAs that have changed since, too.
    counts = {name: _count(searcher, _term(field, name)) for name, _ in listed if not name.startswith("=")}
    found = most_first({name: number for name, number in counts.items() if number}, limit)
    return tuple(found.items())


def _queries_in_order(plan: Plan) -> Iterator[tantivy.Query]:
    """The classes, best first. Levels of one place that follow each other are one query: the merit orders them."""
    conditions = _conditions(plan)
    if plan.terms is None or not plan.has_places:
        yield _query(plan)
        return
    for number, classes in groupby(relevance.CLASSES, key=lambda each: each[0]):
        levels = [level for _, level in classes]
        parts = [_words_query(plan.terms, PLACES[number]), *conditions]
        if len(levels) < relevance.LEVELS:
            parts.append(_any_of([_term("level", level) for level in levels]))
        # Each place takes in the ones before it.
        yield _all_of(parts, none=[_words_query(plan.terms, PLACES[number - 1])] if number else ())


def _count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    # `count` is missing from tantivy's type stub.
    found: Any = searcher.search(query, 1, True)
    return int(found.count)


def _query(plan: Plan) -> tantivy.Query:
    text = [] if plan.terms is None else [_words_query(plan.terms, PLACES[-1])]
    return _all_of([*text, *_conditions(plan)])


def _conditions(plan: Plan) -> list[tantivy.Query]:
    """All but the words."""
    queries = [_any_of([_term(name, value) for value in sorted(allowed)]) for name, allowed in plan.filters]
    queries += [_range(name, range) for name, range in plan.ranges]
    if plan.nsfw < len(NSFW_LEVELS) - 1:
        queries.append(_term("listed", plan.nsfw))
    if plan.is_installed:
        queries.append(_any_ref(plan))
    unwanted = [_term(name, value) for name, values in plan.excluded for value in sorted(values)]
    unwanted += [_phrase(field, each) for each in plan.without for field in _ANYWHERE]
    unwanted += [_any_ref(plan)] if plan.is_installed is False else []
    if unwanted:
        queries.append(_all_of([tantivy.Query.all_query()], none=unwanted))
    return queries


def _words_query(terms: Terms, place: Place) -> tantivy.Query:
    if place.is_whole:
        return _term("whole", terms.whole) if terms.phrases else _nothing()
    fields = _FIELDS.get(place.fields, place.fields)
    each = [
        _any_of([_phrase(field, words, open_end) for field in fields]) for words, open_end in phrases_at(terms, place)
    ]
    return _all_of(each or [_nothing()])


def _phrase(field: str, words: Sequence[str], open_end: bool = False) -> tantivy.Query:
    if open_end:
        # Words that begin with it, with no letter changed: as fast as a pattern, which takes a while to prepare.
        return tantivy.Query.fuzzy_term_query(schema(), field, words[0], distance=0, prefix=True)
    if len(words) == 1:
        return _term(field, words[0])
    return tantivy.Query.phrase_query(schema(), field, list(words))


def _range(name: Measure, range: Range) -> tantivy.Query:
    """Columns hold one more than the number, and 0 for none."""
    least = max(range.least or 0, 0) + 1
    most = _MOST if range.most is None else min(range.most, _MOST) + 1
    if most < least:
        return _nothing()
    return tantivy.Query.range_query(schema(), name, FieldType.Unsigned, least, most)


def _any_ref(plan: Plan) -> tantivy.Query:
    if not plan.installed:
        return _nothing()
    return tantivy.Query.term_set_query(schema(), "ref", sorted(plan.installed))


def _term(name: str, value: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(schema(), name, value, "basic")


def _nothing() -> tantivy.Query:
    return tantivy.Query.empty_query()


def _all_of(queries: Sequence[tantivy.Query], *, none: Sequence[tantivy.Query] = ()) -> tantivy.Query:
    """With none of `none`."""
    if len(queries) == 1 and not none:
        return queries[0]
    if not queries:
        return tantivy.Query.all_query()
    parts = [(Occur.Must, query) for query in queries]
    return tantivy.Query.boolean_query([*parts, *((Occur.MustNot, query) for query in none)])


def _any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    if len(queries) == 1:
        return queries[0]
    return tantivy.Query.boolean_query([(Occur.Should, query) for query in queries]) if queries else _nothing()
