"""A query worked out once for the index and for the scan that stands in for it, so that both answer the same.

Order by relevance is by where the words were found, best place first, and then by downloads. It depends on nothing but
the LoRA itself, so adding others never reorders it, and a person can see why one stands above another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.query import Query, Sort
from connectors.record import NSFW_LEVELS
from hub_ui.catalog.row import asked_keys
from hub_ui.catalog.text import Terms, terms

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
