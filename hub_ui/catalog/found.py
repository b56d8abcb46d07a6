"""What a search of the catalog answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.record import Record


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
