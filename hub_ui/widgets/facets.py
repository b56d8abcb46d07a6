"""Filters on the left. A number counts the cards that are shown; where none can be known, none stands there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from connectors.claims import base_models
from connectors.query import Query
from connectors.record import Kind, Nsfw, Record, within
from connectors.registry import HUBS
from hub_ui.catalog.search import BaseCount
from hub_ui.widgets import format
from hub_ui.widgets.render import Renderer

NSFW_WORDS: dict[Nsfw, str] = {
    "safe": "rated safe only",
    "soft": "hide mature",
    "mature": "mature, blurred",
    "explicit": "everything, blurred",
}


@dataclass(frozen=True, kw_only=True)
class Option:
    """`count` as it is written; empty where it is not known."""

    value: str
    label: str
    count: str
    on: bool
    inner: bool = False


@dataclass(frozen=True, kw_only=True)
class Group:
    facet: str
    name: str
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class FacetCounts:
    """The cards that are shown, and whether there are more; what each hub's own number is; the bases to choose from."""

    records: Sequence[Record] = ()
    has_more: bool = False
    hits: Mapping[str, str] = field(default_factory=dict)
    bases: Sequence[BaseCount] = ()


def groups(query: Query, listed: FacetCounts) -> list[Group]:
    hubs = (
        Option(value=hub.name, label=hub.label, count=listed.hits.get(hub.name, ""), on=hub.name in query.hubs)
        for hub in HUBS.values()
    )
    kinds = (
        _option(query.kinds, listed, kind, kind.capitalize(), sum(record.kind == kind for record in listed.records))
        for kind in get_args(Kind)
    )
    return [
        Group(facet="hubs", name="Hub", options=tuple(hubs)),
        Group(facet="kinds", name="Kind", options=tuple(kinds)),
        # The longest one last.
        Group(facet="bases", name="Base model", options=tuple(base_options(query, listed))),
    ]


def _option(
    chosen: tuple[str, ...], listed: FacetCounts, value: str, label: str, count: int, *, inner: bool = False
) -> Option:
    """A filter leaves out the cards of its other values: how many those would bring is not known."""
    on = value in chosen
    number = "" if chosen and not on else format.at_least(count, more=listed.has_more)
    return Option(value=value, label=label, count=number, on=on, inner=inner)


def base_options(query: Query, listed: FacetCounts) -> Iterator[Option]:
    """Base models follow their architecture; one that is all its architecture has is not named twice.

    Bases that no card is for are left out, once these are all the cards there are.
    """
    # Many cards are for the same base, and are looked at once.
    made_for = Counter((r.base_model, r.architecture, r.raw_base_model) for r in listed.records)

    def count(base: BaseCount) -> int:
        return sum(number for made, number in made_for.items() if base_models.matches(*made, (base.id,)))

    def options(bases: Sequence[BaseCount], *, inner: bool = False) -> Iterator[Option]:
        counts = {base.id: count(base) for base in bases}
        for base in sorted(bases, key=lambda base: -counts[base.id]):
            if counts[base.id] or query.bases or listed.has_more:
                yield _option(query.bases, listed, base.id, base.label, counts[base.id], inner=inner)
            if len(base.children) > 1:
                yield from options(base.children, inner=True)

    return options(listed.bases)


def facets_html(render: Renderer, query: Query, listed: FacetCounts) -> str:
    return render(
        "facets",
        groups=groups(query, listed),
        levels=NSFW_WORDS,
        level=query.nsfw,
        chosen=len(query.hubs) + len(query.bases) + len(query.kinds),
        blurs=not within(query.nsfw, "soft"),
    )
