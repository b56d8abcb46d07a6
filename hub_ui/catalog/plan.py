"""What a query asks of rows, in the rows' own values: of the index, and by the library of its own rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

from connectors.query import Query, Range, Sort
from connectors.record import NSFW_LEVELS
from connectors.ref import Ref
from hub_ui.catalog.relevance import MERIT_BITS
from hub_ui.catalog.rings import Rings
from hub_ui.catalog.row import USES, Row, Terms, filter_keys, fold_name, row_ref, storable, terms, words

# A filter by names; its key in the query language.
Filter = Literal["hub", "base", "kind", "creator", "tag", "license", "access", "trigger"]
# A filter by a number. "newest" is the query's age.
Measure = Literal["rank", "size", "newest"]
# All that a LoRA may fail by and still be counted for the choices of that one filter.
Condition = Filter | Measure | Literal["nsfw", "installed", "favorite"]
FacetName = Literal[
    "hubs", "keys", "groups", "kinds", "ranks", "licenses", "permits", "sizes", "access", "levels", "creators", "tags"
]

# No folded name begins with "=".
ANY_TRIGGER = "=any"
NO_TRIGGER = "=none"
VALUES: Mapping[Filter, Callable[[Row], tuple[str, ...]]] = {
    "hub": lambda row: row.hubs,
    "base": lambda row: row.keys,
    "kind": lambda row: (row.kind or "",),
    "creator": lambda row: row.creators,
    "tag": lambda row: row.tags,
    "license": lambda row: (fold_name(row.license or ""), *(f"={use}" for use in row.permits)),
    "access": lambda row: (row.access,),
    "trigger": lambda row: (*row.triggers, ANY_TRIGGER if row.triggers else NO_TRIGGER),
}
MEASURES: Mapping[Measure, Callable[[Row], int | None]] = {
    "rank": lambda row: row.rank,
    "size": lambda row: row.size,
    "newest": lambda row: row.newest - 1 if row.newest else None,
}
# Upper ends of the steps that sizes are counted by; the last one takes all the rest.
SIZE_STEPS: tuple[int, ...] = (*(million * 1_000_000 for million in (10, 25, 50, 100, 200, 400, 800, 2_000)), 2**36)


@dataclass(frozen=True, kw_only=True, slots=True)
class FacetColumn:
    """What a facet counts of a row, and the condition that it ignores. `most` keeps the most frequent names only."""

    ignores: Condition
    values: Callable[[Row], Iterable[str | int]]
    most: int | None = None


FACETS: Mapping[FacetName, FacetColumn] = {
    "hubs": FacetColumn(ignores="hub", values=lambda row: row.hubs),
    "keys": FacetColumn(ignores="base", values=lambda row: row.keys),
    "groups": FacetColumn(ignores="base", values=lambda row: row.groups),
    "kinds": FacetColumn(ignores="kind", values=lambda row: (row.kind,) if row.kind else ()),
    "ranks": FacetColumn(ignores="rank", values=lambda row: () if row.rank is None else (row.rank,)),
    "licenses": FacetColumn(ignores="license", values=lambda row: (row.license,) if row.license else ()),
    "permits": FacetColumn(ignores="license", values=lambda row: row.permits),
    "sizes": FacetColumn(ignores="size", values=lambda row: () if row.size is None else (size_step(row.size),)),
    "access": FacetColumn(ignores="access", values=lambda row: (row.access,)),
    "levels": FacetColumn(ignores="nsfw", values=lambda row: (row.nsfw,)),
    "creators": FacetColumn(ignores="creator", values=lambda row: row.creators, most=20),
    "tags": FacetColumn(ignores="tag", values=lambda row: row.tags, most=20),
}


def size_step(size: int) -> int:
    return SIZE_STEPS[min(bisect_left(SIZE_STEPS, size), len(SIZE_STEPS) - 1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a LoRA's words may be to count: `fields` of its row, or with `is_whole` its title and nothing else."""

    fields: tuple[str, ...]
    open_end: bool = False
    is_whole: bool = False


# Each takes in all that the ones before it do. Their numbers are those of relevance.CLASSES.
PLACES: tuple[Place, ...] = (
    Place(fields=("whole",), is_whole=True),
    Place(fields=("title",)),
    Place(fields=("title", "words", "tag_words")),
    Place(fields=("title", "words", "tag_words"), open_end=True),
    Place(fields=("title", "words", "tag_words", "about"), open_end=True),
    Place(fields=("title", "words", "tag_words", "about", "found"), open_end=True),
)

# What each sort puts first, and the bits of an order key that its number takes. A number that has no room there stands
# with the largest one.
NUMBER: Mapping[Sort, str] = {
    "relevance": "merit",
    "downloads": "downloads",
    "likes": "likes",
    "newest": "newest",
}
_BITS: Mapping[str, int] = {"merit": MERIT_BITS, "downloads": 28, "likes": 28, "newest": 34}
_KEY_BITS = 64
# No two of millions of names have the same number, and a float holds it.
_NAME_BITS = 52


def order_key(row: Row, sort: Sort, tie: int) -> int:
    """Largest first: the number to sort by, then as many bits of `tie` as there is room for."""
    bits = _BITS[NUMBER[sort]]
    number: int = getattr(row, NUMBER[sort])
    return min(number, (1 << bits) - 1) << (_KEY_BITS - bits) | tie >> bits


def merit_of(key: int) -> int:
    """The merit in an order key for relevance."""
    return key >> (_KEY_BITS - MERIT_BITS)


def tie(row: Row) -> int:
    """Orders equals the same way in every catalog, whatever came first."""
    return _hash(row.refs[0])


@lru_cache(maxsize=20_000)
def number_of_name(name: str) -> int:
    """What a name is counted by. It orders equally frequent ones."""
    return _hash(name) >> (_KEY_BITS - _NAME_BITS)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=_KEY_BITS // 8).digest())


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`without` has phrases that must not be there. `filters` has the allowed values of each filter in use,
    `excluded` those that must not be there, `ranges` both ends of a measure. `installed` and `favorites` are
    refs as rows have them. `rings` are what the index makes of the terms.
    """

    terms: Terms | None = None
    rings: Rings | None = None
    without: tuple[tuple[str, ...], ...] = ()
    filters: tuple[tuple[Filter, frozenset[str]], ...] = ()
    excluded: tuple[tuple[Filter, frozenset[str]], ...] = ()
    ranges: tuple[tuple[Measure, Range], ...] = ()
    installed: frozenset[str] = frozenset()
    is_installed: bool | None = None
    favorites: frozenset[str] = frozenset()
    is_favorite: bool | None = None
    nsfw: int = len(NSFW_LEVELS) - 1
    sort: Sort = "relevance"
    offset: int = 0
    limit: int = 1

    def conditions(self) -> frozenset[Condition]:
        """Those in use that a facet may ignore."""
        used: set[Condition] = {*(name for name, _ in self.filters), *(name for name, _ in self.ranges)}
        if self.nsfw < len(NSFW_LEVELS) - 1:
            used.add("nsfw")
        if self.is_installed is not None:
            used.add("installed")
        if self.is_favorite is not None:
            used.add("favorite")
        return frozenset(used)

    def but(self, condition: Condition) -> Plan:
        """Without this condition."""
        return replace(
            self,
            filters=tuple(each for each in self.filters if each[0] != condition),
            ranges=tuple(each for each in self.ranges if each[0] != condition),
            nsfw=len(NSFW_LEVELS) - 1 if condition == "nsfw" else self.nsfw,
            is_installed=None if condition == "installed" else self.is_installed,
            is_favorite=None if condition == "favorite" else self.is_favorite,
        )

    def uncut(self) -> Plan:
        """What its counts depend on: no page and no order."""
        return replace(self, sort="relevance", offset=0, limit=1)

    @property
    def has_places(self) -> bool:
        """Whether it matters where the words stand."""
        return self.terms is not None and self.sort == "relevance"


def plan(
    query: Query,
    offset: int = 0,
    *,
    installed: Collection[Ref] = (),
    favorites: Collection[Ref] = (),
    now: datetime | None = None,
) -> Plan:
    """`now` is what the query's age is counted from."""
    values: Mapping[Filter, tuple[str, ...]] = {
        "hub": query.hubs,
        "base": query.bases,
        "kind": query.kinds,
        "creator": query.creators,
        "tag": query.tags,
        "license": query.licenses,
        "access": query.access,
        "trigger": query.triggers,
    }
    ranges: Mapping[Measure, Range | None] = {
        "rank": query.rank,
        "size": query.size,
        "newest": _since(query.age, now or datetime.now(UTC)) if query.age else None,
    }
    # No LoRA, and found by asking for it alone.
    excluded: dict[Filter, list[str]] = {} if "runner" in query.kinds else {"kind": ["runner"]}
    for key, value in query.excluded:
        if key in values:
            excluded.setdefault(key, []).append(value)  # type: ignore[arg-type]
    return Plan(
        terms=terms(query.text, query.phrases),
        without=tuple(found for key, value in query.excluded if key == "text" and (found := tuple(words(value)))),
        filters=tuple((name, _allowed(name, some)) for name, some in values.items() if some),
        excluded=tuple((name, _allowed(name, some)) for name, some in excluded.items()),
        ranges=tuple((name, range) for name, range in ranges.items() if range is not None),
        installed=frozenset(row_ref(ref.hub, ref.id) for ref in installed),
        is_installed=query.installed,
        favorites=frozenset(row_ref(ref.hub, ref.id) for ref in favorites),
        is_favorite=query.favorite,
        nsfw=NSFW_LEVELS.index(query.nsfw),
        sort=query.sort,
        offset=max(0, offset),
        limit=max(1, query.limit),
    )


def _license(value: str) -> str:
    return f"={value}" if value in USES else fold_name(value)


def _trigger(value: str) -> str:
    return {"any": ANY_TRIGGER, "none": NO_TRIGGER}.get(value) or fold_name(value)


_READ: Mapping[Filter, Callable[[str], str]] = {
    "hub": storable,
    "kind": storable,
    "access": storable,
    "creator": fold_name,
    "tag": fold_name,
    "license": _license,
    "trigger": _trigger,
}


def _allowed(name: Filter, values: Iterable[str]) -> frozenset[str]:
    """The row's values that answer a filter. A name that folds to nothing finds nothing."""
    if name == "base":
        return frozenset(filter_keys(tuple(values)))
    return frozenset(filter(None, map(_READ[name], values)))


def _since(age: Range, now: datetime) -> Range:
    seconds = int(now.timestamp())
    least, most = (None if end is None else seconds - end for end in (age.most, age.least))
    return Range(least=least, most=most)
