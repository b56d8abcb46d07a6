"""Run a plan as Tantivy queries: one page of results, and the facets.

The order comes from order keys (see search.py) in columns of the index. If relevance finds few LoRAs, they are sorted
here by their evidence. If it finds many, the classes are queried one by one, best first, until the page is full: for a
common word the first class fills it.

Each facet ignores its own filter. Values that many LoRAs share are counted as whole combinations and split here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import accumulate, groupby, takewhile
from threading import Lock
from typing import Any

import tantivy
from cachetools import LRUCache, cached
from tantivy import Occur, Order

from connectors.query import BY_KEY
from connectors.record import NSFW_LEVELS
from hub_ui.catalog import relevance, rings
from hub_ui.catalog.index import (
    COUNTED_NUMBERS,
    FOUND,
    GROUPS,
    NAMES,
    TEXTS,
    all_of,
    any_of,
    any_of_values,
    number_in,
    number_of,
    phrase,
    scored,
    term,
)
from hub_ui.catalog.rings import Ring, Rings, Unit
from hub_ui.catalog.row import SEPARATOR
from hub_ui.catalog.search import (
    FACETS,
    FILTERS,
    MOST_COUNTED,
    Condition,
    Plan,
    RingStart,
    filter_terms,
    merit_of,
    most_first,
    number_of_name,
)

# How many names are counted, and how many of the most frequent ones are returned.
_MOST_NAMES, _MOST_OFFERED = 64, 8
# The most hits that are sorted here and not by the index.
_MOST_SORTED = 4 * rings.MOST
# Above this frequency a word's LoRAs are not counted again for the NSFW level.
_MANY = 2 * rings.MOST
# Larger than any score of evidence.
_RING_WORTH = 1 << 15
_SOFT = NSFW_LEVELS.index("soft")


def with_rings(searcher: tantivy.Searcher, plan: Plan) -> Plan:
    """Return the plan with the rings of its words, which depend on the NSFW level and exclusions but not on filters."""
    if plan.terms is None or not plan.terms.phrases:
        return plan
    bare = replace(plan, filters=(), ranges=(), wanted=())
    conditions = _conditions(bare)

    def frequency(word: str) -> int:
        return searcher.doc_freq("any", word)

    def begins(word: str) -> int:
        # Without longer words, the query for the word alone suffices. It costs half as much as a query for its
        # beginnings.
        return sum(each != word for each, _ in searcher.terms_with_prefix("any", word, None, 2))

    def count(ring: Ring) -> int:
        if len(ring.units) == 1:
            estimate = sum(frequency(form[0]) for form in ring.units[0].forms[:1])
            if estimate > _MANY:
                return estimate
        return number_of(searcher, all_of([_ring_query(ring, "any", open_end=True), *conditions]))

    few = rings.FEW if plan.sort == "relevance" else 1
    found = rings.rings(plan.terms, frequency, begins, searcher.num_docs, count, few)
    return replace(plan, rings=found if few > 1 else replace(found, rings=found.rings[-1:]))


def page(searcher: tantivy.Searcher, plan: Plan) -> tuple[tuple[int, ...], tuple[RingStart, ...]]:
    """Return row ids, best first, and the position in the whole list at which each ring begins."""
    # Tantivy allocates memory for `limit` hits in advance.
    limit = min(plan.limit, searcher.num_docs)
    if plan.rings is not None and plan.rings.is_few and plan.sort == "relevance":
        ids, starts = _by_evidence(searcher, plan, plan.rings)
        return ids[:limit], starts
    starts = tuple(_ring_start(plan.rings, ring, 0) for ring in plan.rings.rings) if plan.rings else ()
    found: list[tantivy.DocAddress] = []
    for query in _queries_in_order(plan):
        if len(found) >= limit:
            break
        hits = searcher.search(query, limit - len(found), False, f"by_{plan.sort}", 0, Order.Desc).hits
        found += (address for _, address in hits)
    return tuple(int(value or 0) for value in searcher.fast_field_values("id", found)), starts


def _ring_start(wanted: Rings, ring: Ring, start: int) -> RingStart:
    return RingStart(start=start, asked=wanted.least, held=ring.least, has_typos=ring.has_typos)


def _by_evidence(
    searcher: tantivy.Searcher, plan: Plan, wanted: Rings
) -> tuple[tuple[int, ...], tuple[RingStart, ...]]:
    """Return all results of a query with few of them, ring by ring, and the position at which each ring begins.

    A score is a ring and its evidence. Within a ring, LoRAs are sorted by their evidence and the worth of their level,
    then by relevance. A sentence is sorted across all rings: there a ring begins after the last result of all earlier
    rings.
    """
    numbered = dict(enumerate(reversed(wanted.rings), 1))
    worth = [scored(_ring_query(ring, "any", open_end=True), _RING_WORTH * n) for n, ring in numbered.items()]
    parts = [(Occur.Must, scored(query_of(plan), 0)), (Occur.Should, _best_of(worth))]
    parts += [(Occur.Should, each) for each in _evidence(plan)]
    hits = searcher.search(tantivy.Query.boolean_query(parts), _MOST_SORTED, False).hits
    found = [address for _, address in hits]
    keys = [int(key or 0) for key in searcher.fast_field_values("by_relevance", found)]
    ids = [int(id or 0) for id in searcher.fast_field_values("id", found)]
    is_sentence = wanted.least >= rings.SENTENCE
    ordered = sorted(
        (
            0 if is_sentence else -n,
            # With many words each word is worth less, so a level must be worth less as well.
            -evidence - relevance.level_worth(relevance.level(merit_of(key))) / wanted.least,
            -key,
            id,
            n,
        )
        for (score, _), key, id in zip(hits, keys, ids, strict=True)
        for n, evidence in [divmod(int(score), _RING_WORTH)]
    )
    left = list(accumulate((n for *_, n in reversed(ordered)), max))[::-1]
    starts = [_ring_start(wanted, numbered[n], left.index(n)) for n in dict.fromkeys(left)]
    return tuple(id for *_, id, _ in ordered), tuple(starts)


def _evidence(plan: Plan) -> Iterator[tantivy.Query]:
    """Yield a query for each unit, worth its best place times its rarity, and one for the whole title."""
    assert plan.rings is not None
    assert plan.terms is not None
    wanted = rings.required_units(plan.rings.units)
    total = sum(unit.rarity for unit in wanted) or 1
    fillers = [unit for unit in plan.rings.units if unit not in wanted]
    for unit in plan.rings.units:
        share = relevance.FILLER_SHARE / len(fillers) / len(wanted) if unit in fillers else unit.rarity / total
        yield _best_of([scored(query, round(points * share * relevance.POINT)) for query, points in _places_of(unit)])
    title = " ".join(word for unit in wanted for word in unit.typed)
    whole = [title + more for more in rings.WORDS["after_titles"]]
    points = relevance.EVIDENCE["whole"] * relevance.POINT
    yield scored(any_of_values("whole", [plan.terms.whole, *whole]), points)


def _places_of(unit: Unit) -> Iterator[tuple[tantivy.Query, int]]:
    """Yield a query and its points for each place where a spelling of the unit may be, beginnings of words included."""
    points = relevance.EVIDENCE
    without_found = [term("has", FOUND)]
    for form in (*unit.forms, *unit.typos):
        # A guess adds nothing to an adult LoRA, so that an adult LoRA is never first because of a typo.
        share, listed = (relevance.GUESS_SHARE, [term("listed", _SOFT)]) if form in unit.typos else (1, [])
        about = any_of([phrase("own", form), all_of([phrase("any", form)], none=without_found)])
        title = "title" if form == unit.typed else "other spelling"
        places = {title: phrase("title", form), "short": phrase("short", form), "about": about}
        for place, query in places.items():
            yield all_of([query, *listed]), round(points[place] * share)
    yield any_of_values("kind", ["".join(form) for form in unit.forms]), points["short"]
    if unit.open_end:
        yield phrase("title", unit.typed, open_end=True), points["title begins"]
        yield phrase("short", unit.typed, open_end=True), points["short begins"]


def _best_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.disjunction_max_query(list(queries)) if queries else tantivy.Query.empty_query()


def values(searcher: tantivy.Searcher, field: str, prefix: str) -> tuple[tuple[str, int], ...]:
    """Return filter names that begin with `prefix` and how many LoRAs each finds, most frequent first.

    A base model that has several of these names is listed once, by its id. Only the first _MOST_NAMES of the index are
    counted, so rarer names may be missing.
    """
    indexed, runner = searcher.terms_with_prefix(field, prefix, None, _MOST_NAMES), term("kind", "runner")
    read = BY_KEY[field].read if field == "base" else str
    # The index also lists names of rows that were replaced since.
    names = dict.fromkeys(read(name) for name, _ in indexed if not name.startswith("="))
    query_of_name = {name: any_of_values(field, filter_terms(field, [name])) for name in names}
    counts = {name: number_of(searcher, all_of([query], none=[runner])) for name, query in query_of_name.items()}
    return tuple(most_first({name: number for name, number in counts.items() if number}).items())[:_MOST_OFFERED]


def _queries_in_order(plan: Plan) -> Iterator[tantivy.Query]:
    """Yield one query per class, best first. Adjacent levels of a place share a query, because merit sorts them."""
    conditions = _conditions(plan)
    if plan.rings is None or plan.terms is None or plan.sort != "relevance":
        yield query_of(plan)
        return
    for number, classes in groupby(relevance.CLASSES, key=lambda each: each[0]):
        levels = [level for _, level in classes]
        parts = [_words_query(plan, number), *conditions]
        if len(levels) < relevance.LEVELS:
            parts.append(any_of([term("level", level) for level in levels]))
        # Each place includes the earlier ones, so exclude them.
        yield all_of(parts, none=[_words_query(plan, number - 1)] if number else ())


def query_of(plan: Plan) -> tantivy.Query:
    if plan.terms is None:
        return all_of(_conditions(plan))
    text = [_ring_query(ring, "any", open_end=True) for ring in (plan.rings.rings if plan.rings else ())]
    return all_of([any_of(text), *_conditions(plan)])


def _conditions(plan: Plan) -> list[tantivy.Query]:
    """Return all conditions of the plan except its words."""
    # A term set query would look up all of its rows first, though few of them may contain the words.
    queries = [any_of([term(name, value) for value in sorted(allowed)]) for name, allowed in plan.filters]
    queries += [number_in(name, range) for name, range in plan.ranges]
    if plan.nsfw < len(NSFW_LEVELS) - 1:
        queries.append(term("listed", plan.nsfw))
    marks = dict(plan.marks)
    queries += [any_of_values("ref", marks[name]) for name, is_wanted in plan.wanted if is_wanted]
    unwanted = [term(name, value) for name, values in plan.excluded for value in sorted(values)]
    unwanted += [phrase("any", each) for each in plan.without]
    unwanted += [any_of_values("ref", marks[name]) for name, is_wanted in plan.wanted if not is_wanted]
    return [all_of(queries or [tantivy.Query.all_query()], none=unwanted)] if unwanted else queries


def _words_query(plan: Plan, place: int) -> tantivy.Query:
    """Match the words of the first ring in one of PLACES."""
    assert plan.rings is not None
    assert plan.terms is not None
    field, open_end, _ = relevance.PLACES[place]
    if field == "whole":
        return term("whole", plan.terms.whole)
    ring = plan.rings.rings[0]
    within = _ring_query(ring, field, open_end=open_end)
    if field == "own":
        anywhere = _ring_query(ring, "any", open_end=open_end)
        return any_of([within, all_of([anywhere], none=[term("has", FOUND)])])
    return within


def _ring_query(ring: Ring, field: str, *, open_end: bool) -> tantivy.Query:
    parts = [(unit.quoted, _unit_query(unit, field, ring.has_typos, open_end)) for unit in ring.units]
    if ring.least == len(parts):
        return all_of([query for _, query in parts])
    must = [query for is_quoted, query in parts if is_quoted]
    if ring.least == len(must):
        return all_of(must)
    others = [(Occur.Should, query) for is_quoted, query in parts if not is_quoted]
    return all_of([*must, tantivy.Query.boolean_query(others, ring.least - len(must))])


def _unit_query(unit: Unit, field: str, has_typos: bool, open_end: bool) -> tantivy.Query:
    open_end = unit.open_end and open_end
    forms = [*unit.forms, *(unit.typos if has_typos else ())]
    # The prefix query below includes the typed word itself.
    queries = [phrase(field, form) for form in forms if not open_end or form != unit.typed]
    return any_of([*queries, phrase(field, unit.typed, open_end=True)] if open_end else queries)


# More than the combinations of base models and the licence names in a column.
_MAX_BUCKETS = 10_000
# For creators and tags: how many are counted first, and how many of them each segment returns. If at most _FEW_NAMES
# others remain, all are counted. A name is certain if it is _FAR times as frequent as the possible error.
_FIRST = (300, 1_000)
_FEW_NAMES = 20_000
_FAR = 8
_MOST_KNOWN = 20_000

_Buckets = Sequence[Mapping[str, Any]]
Found = dict[str, dict[Any, int]]
# The facet of each column.
_FACET_OF: Mapping[str, str] = {
    **TEXTS,
    **COUNTED_NUMBERS,
    **{column: FILTERS[key].columns[-1].name for column, key in NAMES.items()},
}


def _split_value(column: str, value: Any) -> Iterable[tuple[str, Any]]:
    """Split a value of a column into pairs of facet and value."""
    if column in COUNTED_NUMBERS:
        return [(COUNTED_NUMBERS[column], int(value) - 1)] if value else []
    facet, (names, _, groups) = TEXTS[column], str(value).partition(GROUPS)
    found = [(facet, name) for name in names.split(SEPARATOR) if name]
    return found + [("groups", group) for group in groups.split(SEPARATOR) if group]


def count(searcher: tantivy.Searcher, plan: Plan, executor: Executor) -> tuple[int, Found]:
    """Return the total, and the number of LoRAs for each value of each facet."""
    used = plan.conditions()
    columns: dict[tuple[Condition | None, bool], list[str]] = {}
    for column, facet in _FACET_OF.items():
        ignored = FACETS[facet]
        # With many hits, tags take as long as all other facets, so they get their own thread.
        is_alone = facet == "tags" and used <= {"nsfw"}
        columns.setdefault((ignored if ignored in used else None, is_alone), []).append(column)
    passes = [
        executor.submit(_count_columns, searcher, query_of(plan.ignoring(ignored) if ignored else plan), names)
        for (ignored, _), names in sorted(columns.items(), key=lambda each: not each[0][1])
    ]
    marks = {
        name: all_of([query_of(plan.ignoring(name)), any_of_values("ref", refs)]) for name, refs in plan.marks if refs
    }
    marked = {name: executor.submit(number_of, searcher, query) for name, query in marks.items()}
    found: Found = {}
    for done in passes:
        found |= done.result()
    counted = {facet: most_first(found.get(facet, {})) for facet in FACETS}
    # Each LoRA has exactly one level, so their sum is the total.
    total = sum(number for level, number in counted["levels"].items() if level <= plan.nsfw)
    return total, counted | {name: {"yes": number.result()} for name, number in marked.items()}


def _count_columns(searcher: tantivy.Searcher, query: tantivy.Query, columns: Sequence[str]) -> Found:
    facets: Found = {}
    for column, found in _aggregate(searcher, query, columns).items():
        if column in NAMES:
            facet = _FACET_OF[column]
            facets[facet] = _most_frequent(searcher, query, column, found)
            continue
        for bucket in found["buckets"]:
            for facet, value in _split_value(column, bucket["key"]):
                counts = facets.setdefault(facet, {})
                counts[value] = counts.get(value, 0) + bucket["doc_count"]
    return facets


def _most_frequent(
    searcher: tantivy.Searcher, query: tantivy.Query, column: str, found: Mapping[str, Any]
) -> dict[str, int]:
    """Return the most frequent names, and how many LoRAs have each.

    Each segment returns only its most frequent names, so the sum for a name may be too low. If that may change the
    result, all names are counted if they are few, or else only the likely ones, among the LoRAs that have one of them.
    All are also counted if names as frequent as the last one may be missing.
    """
    buckets: _Buckets = found["buckets"]
    if found["sum_other_doc_count"]:
        least, last = (buckets[place]["doc_count"] for place in (MOST_COUNTED - 1, -1))
        missed = found["doc_count_error_upper_bound"] or 0
        if (least == last or least <= 2 * missed) and found["sum_other_doc_count"] <= _FEW_NAMES:
            # All buckets are needed only to order names that are equally frequent.
            top = _FEW_NAMES if least == last else _FIRST[0]
            buckets = _aggregate(searcher, query, [column], (top, _FEW_NAMES))[column]["buckets"]
        elif missed * _FAR > least:
            likely = {int(bucket["key"]) for bucket in buckets[: 2 * MOST_COUNTED]}
            # A term set query takes as long to prepare as all the rest.
            among = all_of([query, any_of([term(column, number) for number in sorted(likely)])])
            buckets = _aggregate(searcher, among, [column], (_FEW_NAMES, _FEW_NAMES))[column]["buckets"]
            buckets = [bucket for bucket in buckets if bucket["key"] in likely]
    least = buckets[MOST_COUNTED - 1]["doc_count"] if len(buckets) > MOST_COUNTED else 0
    kept = takewhile(lambda bucket: bucket["doc_count"] >= least, buckets)
    numbers = sorted((-bucket["doc_count"], int(bucket["key"])) for bucket in kept)[:MOST_COUNTED]
    return {_read_name(searcher, column, number): -count for count, number in numbers}


@cached(LRUCache(_MOST_KNOWN), key=lambda searcher, column, number: (column, number), lock=Lock())
def _read_name(searcher: tantivy.Searcher, column: str, number: int) -> str:
    [(_, address)] = searcher.search(scored(term(column, number), 1), 1, False).hits
    names = searcher.doc(address).get_all(NAMES[column])
    return next(str(name) for name in names if number_of_name(name) == number)


def _aggregate(
    searcher: tantivy.Searcher, query: tantivy.Query, columns: Sequence[str], most: tuple[int, int] = _FIRST
) -> dict[str, Any]:
    sizes = {name: most if name in NAMES else (_MAX_BUCKETS,) * 2 for name in columns}
    aggregations = {
        name: {"terms": {"field": name, "size": size, "segment_size": part}} for name, (size, part) in sizes.items()
    }
    return searcher.aggregate(query, aggregations)
