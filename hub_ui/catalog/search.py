"""A query as a plan in the values of rows, and the results of a search.

The catalog's index runs a plan, and the library applies it to its own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from connectors.claims import base_models
from connectors.query import BY_KEY, FIELDS, Query, Range, Sort
from connectors.query_fields import Field
from connectors.record import NSFW_LEVELS, Record
from connectors.ref import Ref
from hub_ui.base.i18n import _
from hub_ui.catalog.relevance import MERIT_BITS
from hub_ui.catalog.rings import Rings
from hub_ui.catalog.row import (
    TEXTS,
    UNDER,
    Row,
    Terms,
    filter_keys,
    filter_term,
    phrase,
    row_ref,
    row_terms,
    terms,
    words,
)

# A condition that facets may ignore: the key of a filter, or the column of a range.
Condition = str
# The fields of the index: filters of names by their keys, and ranges by their columns. "newest" is for the query's age.
FILTERS: Mapping[str, Field] = {field.key: field for field in FIELDS if field.form == "list"}
MEASURES: Mapping[str, Field] = {field.columns[0].name: field for field in FIELDS if field.form == "range"}
# The counted values, and the condition that each count ignores.
FACETS: Mapping[str, Condition] = {
    **{column.name: key for key, field in FILTERS.items() if field.facet for column in field.columns},
    "groups": "base",
    **{name: name for name, field in MEASURES.items() if field.facet},
    "levels": "nsfw",
}
# How many values are counted for names without a fixed list.
MOST_COUNTED = 20
# The last step of each histogram, for all larger numbers.
_BEYOND = 2**36


def range_value(name: str, row: Row) -> int | None:
    """Return the number of a row that a range filters."""
    return row.numbers[name] if name in row.numbers else row.newest - 1 if row.newest else None


def facet_values(name: str, row: Row) -> Iterable[str | int]:
    """Return the values that a facet counts for a row."""
    if name == "levels":
        return (row.nsfw,)
    if name in MEASURES:
        number = range_value(name, row)
        return () if number is None else (number,)
    return row.groups if name == "groups" else row.names[name]


def step(name: str, number: int) -> int:
    """Return the upper end of the histogram step that contains the number."""
    facet = MEASURES[name].facet
    return next((end for end in facet.steps if number <= end), _BEYOND) if facet else number


# The column of each sort, and how many bits of an order key it takes. Larger numbers are capped.
ORDERS: Mapping[Sort, tuple[str, int]] = {
    "relevance": ("merit", MERIT_BITS),
    "downloads": ("downloads", 28),
    "likes": ("likes", 28),
    "newest": ("newest", 34),
}
_KEY_BITS = 64
# Enough bits that millions of names get different numbers, and few enough for a float.
_NAME_BITS = 52


def order_key(number: int, bits: int, tie: int) -> int:
    """Return the sort key of a row, largest first: its number, then as many bits of `tie` as fit."""
    return min(number, (1 << bits) - 1) << (_KEY_BITS - bits) | tie >> bits


def merit_of(key: int) -> int:
    """Return the merit in an order key for relevance."""
    return key >> (_KEY_BITS - MERIT_BITS)


@lru_cache(maxsize=20_000)
def number_of_name(name: str) -> int:
    """Return the number by which the index counts a name. It also sorts equally frequent names."""
    return tie_breaker(name) >> (_KEY_BITS - _NAME_BITS)


def tie_breaker(text: str) -> int:
    """Return a hash that sorts equal rows the same way in every catalog, independent of when they were added."""
    return int.from_bytes(blake2b(text.encode(), digest_size=_KEY_BITS // 8).digest())


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A query in the values of rows.

    `without` has phrases that must not match. `filters` has the allowed terms of each filter in use, `excluded` the
    excluded ones, `ranges` both ends of each range. `marks` has the refs, as in rows, for each yes/no filter, and
    `wanted` the requested value of each. `rings` are added by the index from `terms`.
    """

    terms: Terms | None = None
    rings: Rings | None = None
    without: tuple[tuple[str, ...], ...] = ()
    filters: tuple[tuple[str, frozenset[str]], ...] = ()
    excluded: tuple[tuple[str, frozenset[str]], ...] = ()
    ranges: tuple[tuple[str, Range], ...] = ()
    marks: tuple[tuple[str, frozenset[str]], ...] = ()
    wanted: tuple[tuple[str, bool], ...] = ()
    nsfw: int = len(NSFW_LEVELS) - 1
    sort: Sort = "relevance"
    limit: int = 1

    def conditions(self) -> frozenset[Condition]:
        """Return the conditions in use that a facet may ignore."""
        level = ["nsfw"] if self.nsfw < len(NSFW_LEVELS) - 1 else []
        return frozenset([*(name for name, _ in (*self.filters, *self.ranges, *self.wanted)), *level])

    def ignoring(self, condition: Condition) -> Plan:
        """Return the plan without this condition."""
        return replace(
            self,
            filters=tuple(each for each in self.filters if each[0] != condition),
            ranges=tuple(each for each in self.ranges if each[0] != condition),
            wanted=tuple(each for each in self.wanted if each[0] != condition),
            nsfw=len(NSFW_LEVELS) - 1 if condition == "nsfw" else self.nsfw,
        )


# The LoRAs for each yes/no filter: installed ones, and favourites.
Marks = Mapping[str, Iterable[Ref]]
NO_MARKS: Marks = MappingProxyType({})
_MARKS = ("installed", "favorite")


def plan(query: Query, marks: Marks = NO_MARKS, now: datetime | None = None) -> Plan:
    """Build the plan of a query. The query's age is relative to `now`."""
    values = {key: getattr(query, field.attribute) for key, field in FILTERS.items()}
    ranges: dict[str, Range | None] = {name: getattr(query, field.attribute) for name, field in MEASURES.items()}
    if query.age:
        ranges["newest"] = _range_of_dates(query.age, now or datetime.now(UTC))
    # Runners are not LoRAs, so they are found only if the query has that kind.
    excluded: dict[str, list[str]] = {} if "runner" in query.kinds else {"kind": ["runner"]}
    for key, value in query.excluded:
        if key in values:
            excluded.setdefault(key, []).append(value)
    return Plan(
        terms=terms(query.text, query.phrases),
        without=tuple(found for key, value in query.excluded if key == "text" and (found := tuple(words(value)))),
        filters=tuple((name, filter_terms(name, some)) for name, some in values.items() if some),
        excluded=tuple((name, filter_terms(name, some)) for name, some in excluded.items()),
        ranges=tuple((name, range) for name, range in ranges.items() if range is not None),
        marks=tuple((key, frozenset(row_ref(ref.hub, ref.id) for ref in marks.get(key, ()))) for key in _MARKS),
        wanted=tuple((key, value) for key in _MARKS if (value := getattr(query, BY_KEY[key].attribute)) is not None),
        nsfw=NSFW_LEVELS.index(query.nsfw),
        sort=query.sort,
        limit=max(1, query.limit),
    )


def filter_terms(key: str, values: Iterable[str]) -> frozenset[str]:
    """Return the terms that match a filter. A name that folds to nothing matches nothing."""
    if key == "base":
        return frozenset(filter_keys(tuple(values)))
    return frozenset(filter(None, (filter_term(FILTERS[key], value) for value in values)))


def _range_of_dates(age: Range, now: datetime) -> Range:
    seconds = int(now.timestamp())
    least, most = (None if end is None else seconds - end for end in (age.most, age.least))
    return Range(least=least, most=most)


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseCount:
    """The count of an architecture with its base models as `children`, or of a base model.

    `id` is a value for `Query.bases`. A base model of unknown architecture is at the top level without children.
    """

    id: str
    label: str
    count: int
    children: tuple[BaseCount, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Facets:
    """The number of LoRAs that each choice of a filter would show.

    A facet ignores its own filter, and a LoRA may count under several values. `counts` has the columns of the filters
    (query.Query), "installed" and "favorite", without empty ones. Sizes are counted by the upper end of a step in
    bytes, "levels" by the lowest NSFW level at which a LoRA is listed. Names without a fixed list are folded, and only
    the 20 most frequent are counted.
    """

    counts: Mapping[str, Mapping[Any, int]] = field(default_factory=dict)
    bases: tuple[BaseCount, ...] = ()

    def of(self, name: str) -> Mapping[Any, int]:
        return self.counts.get(name, {})


@dataclass(frozen=True, kw_only=True, slots=True)
class RingStart:
    """The start of a ring in a list.

    From index `start` on, results have `held` of the `asked` words, with `has_typos` also in similar spellings.
    """

    start: int
    asked: int
    held: int
    has_typos: bool

    @property
    def sentence(self) -> str:
        """The heading above these results. It is empty for results that match the query exactly."""
        if self.held < self.asked and self.start:
            return _("With {held} of the {asked} words:").format(held=self.held, asked=self.asked)
        if self.held < self.asked:
            return _("Nothing has all {asked} words. With {held} of them:").format(held=self.held, asked=self.asked)
        if not self.has_typos:
            return ""
        other = _("Nothing is spelled like that. Similar spellings:")
        return _("Similar spellings:") if self.start else other


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """The first ids of a list. `total` counts the whole list.

    `rings` has the positions at which looser results begin. `corrected` is the text of the query without typos, if a
    word is in no LoRA. `records` is only filled in by `Catalog.search`.
    """

    # Not compared, because ids differ between catalogs with the same LoRAs.
    ids: tuple[int, ...] = field(compare=False)
    total: int
    facets: Facets
    rings: tuple[RingStart, ...] = ()
    corrected: str = ""
    records: tuple[Record, ...] = ()


def phrases(plan: Plan) -> list[str] | None:
    """Return the phrases that a row's texts must contain, all of them, or None if no row can match."""
    if plan.terms is None:
        return []
    *first, last = plan.terms.phrases or [()]
    return [*map(phrase, first), phrase(last, open_end=plan.terms.open_end)] if last else None


def most_first(counts: Mapping[Any, int]) -> dict[Any, int]:
    """Sort counts by frequency, the most frequent first, then by name."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def is_excluded(row: Row, plan: Plan) -> bool:
    """Return whether the row has a value or a phrase that the query excludes."""
    if not plan.without and not plan.excluded:
        return False
    texts = [getattr(row, name) for name in TEXTS]
    return any(phrase(each) in text for each in plan.without for text in texts) or any(
        not unwanted.isdisjoint(row_terms(FILTERS[name], row.names)) for name, unwanted in plan.excluded
    )


def failed_conditions(row: Row, plan: Plan) -> set[Condition]:
    """Return the conditions that the row fails. Words are not checked."""
    failed: set[Condition] = {
        name for name, allowed in plan.filters if allowed.isdisjoint(row_terms(FILTERS[name], row.names))
    }
    failed |= {name for name, range in plan.ranges if range_value(name, row) not in range}
    if row.nsfw > plan.nsfw:
        failed.add("nsfw")
    failed |= {name for name, is_wanted in plan.wanted if is_wanted is dict(plan.marks)[name].isdisjoint(row.refs)}
    return failed


def facets(counts: Mapping[str, Mapping[Any, int]], spellings: Callable[[Sequence[str]], Mapping[str, str]]) -> Facets:
    """Build Facets from the counted values.

    "keys" in `counts` has each name that a base filter could use, "groups" the pairs of architecture and base model.
    `spellings` returns how hubs write folded names that are in no table.
    """
    found = dict(counts)
    bases = _base_tree(found.pop("keys"), found.pop("groups"), spellings)
    found["levels"] = {NSFW_LEVELS[level]: number for level, number in found.get("levels", {}).items()}
    kept = {name: {value: n for value, n in values.items() if n} for name, values in found.items()}
    return Facets(counts={name: values for name, values in kept.items() if values}, bases=bases)


def _base_tree(
    keys: Mapping[str, int], groups: Iterable[str], spellings: Callable[[Sequence[str]], Mapping[str, str]]
) -> tuple[BaseCount, ...]:
    """Build the tree of base models. An unknown base model is labelled with a hub's spelling."""
    tree: dict[str, list[str]] = {}
    for group in sorted(groups):
        top, _, child = group.partition(UNDER)
        children = tree.setdefault(top, [])
        # If an architecture and a base model share an id, a filter by it means the whole architecture.
        if child and child != top:
            children.append(child)
    labels = {id_: base_models.architecture_label(id_) for id_ in base_models.ARCHITECTURES}
    ids = {*tree, *(child for children in tree.values() for child in children)} - {*labels, ""}
    labels |= {id_: base_models.label(id_) for id_ in ids if base_models.by_id(id_)}
    labels |= spellings(sorted(ids - {*labels}))

    def count(id_: str, children: Iterable[str] = ()) -> BaseCount:
        label = labels.get(id_, id_)
        return BaseCount(id=id_, label=label, count=keys.get(id_, 0), children=ordered(map(count, children)))

    def ordered(bases: Iterable[BaseCount]) -> tuple[BaseCount, ...]:
        return tuple(sorted(bases, key=lambda base: (-base.count, base.label, base.id)))

    return ordered(count(top, children) for top, children in tree.items())
