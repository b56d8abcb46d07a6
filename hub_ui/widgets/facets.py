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
class Listed:
    """The cards that are shown, and whether there are more; what each hub's own number is; the bases to choose from."""

    records: Sequence[Record] = ()
    has_more: bool = False
    hits: Mapping[str, str] = field(default_factory=dict)
    bases: Sequence[BaseCount] = ()


def groups(query: Query, listed: Listed) -> list[Group]:
    hubs = tuple(
        Option(value=hub.name, label=hub.label, count=listed.hits.get(hub.name, ""), on=hub.name in query.hubs)
        for hub in HUBS.values()
    )
    kinds = tuple(
        Option(
            value=kind, label=kind.capitalize(), count=_number(listed, query.kinds, kind, count), on=kind in query.kinds
        )
        for kind in get_args(Kind)
        for count in [sum(record.kind == kind for record in listed.records)]
    )
    return [
        Group(facet="hubs", name="Hub", options=hubs),
        Group(facet="kinds", name="Kind", options=kinds),
        # The longest one last.
        Group(facet="bases", name="Base model", options=tuple(_bases(query, listed))),
    ]


def _number(listed: Listed, chosen: tuple[str, ...], value: str, count: int) -> str:
    """Among the cards there are none of what a filter has left out: how many it would bring is not known."""
    if chosen and value not in chosen:
        return ""
    return format.at_least(count, more=listed.has_more)


def _bases(query: Query, listed: Listed) -> Iterator[Option]:
    """Base models stand under their architecture; one that is all its architecture has is not named twice."""
    counts = _base_counts(listed)
    for group in sorted(listed.bases, key=lambda base: -counts[base.id]):
        yield from _base(query, listed, group, counts[group.id])
        if len(group.children) > 1:
            for base in sorted(group.children, key=lambda base: -counts[base.id]):
                yield from _base(query, listed, base, counts[base.id], inner=True)


def _base(query: Query, listed: Listed, base: BaseCount, count: int, *, inner: bool = False) -> Iterator[Option]:
    """Nothing for a base that no card is for, once these are all the cards there are."""
    on = base.id in query.bases
    if count or on or query.bases or listed.has_more:
        number = _number(listed, query.bases, base.id, count)
        yield Option(value=base.id, label=base.label, count=number, on=on, inner=inner)


def _base_counts(listed: Listed) -> Mapping[str, int]:
    """How many cards each choice would keep. Many cards are for the same base, and are looked at once."""
    made_for = Counter((r.base_model, r.architecture, r.raw_base_model) for r in listed.records)
    ids = {base.id for group in listed.bases for base in (group, *group.children)}
    return {
        asked: sum(number for base, number in made_for.items() if base_models.matches(*base, (asked,))) for asked in ids
    }


def html(render: Renderer, query: Query, listed: Listed) -> str:
    levels = [Option(value=v, label=label, count="", on=v == query.nsfw) for v, label in NSFW_WORDS.items()]
    chosen = len(query.hubs) + len(query.bases) + len(query.kinds)
    return render(
        "facets", groups=groups(query, listed), levels=levels, chosen=chosen, blurs=not within(query.nsfw, "soft")
    )
