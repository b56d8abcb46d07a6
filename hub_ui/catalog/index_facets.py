"""The facets of a search, counted in Tantivy.

Each facet ignores its own filter. What many LoRAs have alike is counted by whole combinations and taken apart here:
level, rank and kind are one column, so that one pass counts all three for any filters on them, and the total.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import takewhile
from threading import Lock
from typing import Any

import tantivy
from cachetools import LRUCache, cached

from hub_ui.catalog.index import GROUPS, NAMES, PROFILE, STEPS, TEXTS
from hub_ui.catalog.index_search import all_of, any_of, any_of_values, number_of, query_of, scored, term
from hub_ui.catalog.row import SEPARATOR
from hub_ui.catalog.search import FACETS, FILTERS, MOST_COUNTED, Condition, Plan, most_first, number_of_name

# Of a column: more than there are combinations of base models, and licence names.
_MAX_BUCKETS = 10_000
# Of creators and tags, what is looked at first, and what each part of the index hands in for it; how many more are few
# enough to count them all; how many times as frequent a name must be as what may be missed.
_FIRST = (300, 1_000)
_FEW_NAMES = 20_000
_FAR = 8
_MOST_NAMES = 20_000

_Buckets = Sequence[Mapping[str, Any]]
Found = dict[str, dict[Any, int]]
# The facet of each column.
_FACET_OF: Mapping[str, str] = {
    **TEXTS,
    **STEPS,
    **{column: FILTERS[key].columns[-1].name for column, key in NAMES.items()},
}


def _values(column: str, value: Any) -> Iterable[tuple[str, Any]]:
    """What one text or number of a column has, each with the facet that it counts for."""
    if column in STEPS:
        return [(STEPS[column], int(value) - 1)] if value else []
    facet, (names, _, groups) = TEXTS[column], str(value).partition(GROUPS)
    found = [(facet, name) for name in names.split(SEPARATOR) if name]
    return found + [("groups", group) for group in groups.split(SEPARATOR) if group]


def start(searcher: tantivy.Searcher, plan: Plan, executor: Executor) -> Callable[[], tuple[int, Found]]:
    """Begins to count; what is returned waits for the end, and has the total and the count of each value of a facet."""
    used = plan.conditions()
    columns: dict[tuple[Condition | None, bool], list[str]] = {}
    for column, facet in _FACET_OF.items():
        ignored = FACETS[facet]
        # Of a large answer tags take as long as all the rest, so they have a thread of their own.
        is_alone = facet == "tags" and used <= {"nsfw"}
        columns.setdefault((ignored if ignored in used else None, is_alone), []).append(column)
    passes = [
        executor.submit(_pass, searcher, query_of(plan.but(ignored) if ignored else plan), names)
        for (ignored, _), names in sorted(columns.items(), key=lambda each: not each[0][1])
    ]
    profile = executor.submit(_profile, searcher, plan)
    marks = {name: all_of([query_of(plan.but(name)), any_of_values("ref", refs)]) for name, refs in plan.marks if refs}
    marked = {name: executor.submit(number_of, searcher, query) for name, query in marks.items()}

    def counts() -> tuple[int, Found]:
        total, found = profile.result()
        for done in passes:
            found |= done.result()
        counted = {facet: most_first(found.get(facet, {})) for facet in FACETS}
        return total, counted | {name: {"yes": number.result()} for name, number in marked.items()}

    return counts


def _profile(searcher: tantivy.Searcher, plan: Plan) -> tuple[int, Found]:
    """The total, and the facets of level, rank and kind."""
    kinds, ranks = dict(plan.filters).get("kind"), dict(plan.ranges).get("rank")
    total = 0
    facets: Found = {name: {} for name in PROFILE}
    buckets = _terms(searcher, query_of(plan.but("kind").but("rank").but("nsfw")), ["profile"])["profile"]["buckets"]
    for bucket in buckets:
        level, rank, kind = bucket["key"].split(SEPARATOR, 2)
        values: dict[str, Any] = {"levels": int(level), "rank": int(rank) if rank else None, "kind": kind}
        failed = {"levels"} if values["levels"] > plan.nsfw else set()
        if kinds is not None and kind not in kinds:
            failed.add("kind")
        if ranks is not None and values["rank"] not in ranks:
            failed.add("rank")
        total += 0 if failed else bucket["doc_count"]
        for facet, value in values.items():
            if failed <= {facet} and value not in (None, ""):
                facets[facet][value] = facets[facet].get(value, 0) + bucket["doc_count"]
    return total, facets


def _pass(searcher: tantivy.Searcher, query: tantivy.Query, columns: Sequence[str]) -> Found:
    """All columns in one go over the rows."""
    facets: Found = {}
    for column, found in _terms(searcher, query, columns).items():
        if column in NAMES:
            facet = _FACET_OF[column]
            facets[facet] = _most(searcher, query, column, MOST_COUNTED, found)
            continue
        for bucket in found["buckets"]:
            for facet, value in _values(column, bucket["key"]):
                counts = facets.setdefault(facet, {})
                counts[value] = counts.get(value, 0) + bucket["doc_count"]
    return facets


def _most(
    searcher: tantivy.Searcher, query: tantivy.Query, column: str, most: int, found: Mapping[str, Any]
) -> dict[str, int]:
    """The most frequent names, and how many have each.

    Each part of the index hands in its most frequent ones only, so that a name may miss some of its number. Where that
    may matter, the likely ones are counted again, among the LoRAs that have one of them. To tell equals apart, as long
    as they are not too many, all are counted.
    """
    buckets: _Buckets = found["buckets"]
    if found["sum_other_doc_count"]:
        least, last = (buckets[place]["doc_count"] for place in (most - 1, -1))
        missed = found["doc_count_error_upper_bound"] or 0
        if (least == last or least <= 2 * missed) and found["sum_other_doc_count"] <= _FEW_NAMES:
            # Only equals need more than the first ones.
            top = _FEW_NAMES if least == last else _FIRST[0]
            buckets = _terms(searcher, query, [column], (top, _FEW_NAMES))[column]["buckets"]
        elif missed * _FAR > least:
            likely = {int(bucket["key"]) for bucket in buckets[: 2 * most]}
            # Not a set: its preparation takes as long as all the rest.
            among = all_of([query, any_of([term(column, number) for number in sorted(likely)])])
            buckets = _terms(searcher, among, [column], (_FEW_NAMES, _FEW_NAMES))[column]["buckets"]
            buckets = [bucket for bucket in buckets if bucket["key"] in likely]
    least = buckets[most - 1]["doc_count"] if len(buckets) > most else 0
    kept = takewhile(lambda bucket: bucket["doc_count"] >= least, buckets)
    numbers = sorted((-bucket["doc_count"], int(bucket["key"])) for bucket in kept)[:most]
    return {_name(searcher, column, number): -count for count, number in numbers}


@cached(LRUCache(_MOST_NAMES), key=lambda searcher, column, number: (column, number), lock=Lock())
def _name(searcher: tantivy.Searcher, column: str, number: int) -> str:
    """From one of the LoRAs that have it."""
    [(_, address)] = searcher.search(scored(term(column, number), 1), 1, False).hits
    names = searcher.doc(address).get_all(NAMES[column])
    return next(str(name) for name in names if number_of_name(name) == number)


def _terms(
    searcher: tantivy.Searcher, query: tantivy.Query, columns: Sequence[str], most: tuple[int, int] = _FIRST
) -> dict[str, Any]:
    sizes = {name: most if name in NAMES else (_MAX_BUCKETS,) * 2 for name in columns}
    asked = {
        name: {"terms": {"field": name, "size": size, "segment_size": part}} for name, (size, part) in sizes.items()
    }
    return searcher.aggregate(query, asked)
