"""Filters on the left, each with a count that is true for the present question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from connectors.query import Query
from connectors.record import Kind, Nsfw
from hub_ui.catalog.found import Facets
from hub_ui.widgets import words
from hub_ui.widgets.render import Renderer

NSFW_WORDS: dict[Nsfw, str] = {
    "safe": "rated safe only",
    "soft": "hide mature",
    "mature": "mature, blurred",
    "explicit": "everything, blurred",
}


@dataclass(frozen=True, kw_only=True)
class Option:
    value: str
    label: str
    count: int
    on: bool
    inner: bool = False


@dataclass(frozen=True, kw_only=True)
class Group:
    facet: str
    name: str
    options: tuple[Option, ...]


def groups(query: Query, facets: Facets) -> list[Group]:
    return [
        Group(facet="hubs", name="Hub", options=_plain(words.HUB_LABELS, facets.hubs, query.hubs)),
        Group(facet="bases", name="Base model", options=_bases(query, facets)),
        Group(
            facet="kinds",
            name="Kind",
            options=_plain({kind: kind.capitalize() for kind in get_args(Kind)}, facets.kinds, query.kinds),
        ),
    ]


def _plain(labels: Mapping[str, str], counts: Mapping[str, int], chosen: tuple[str, ...]) -> tuple[Option, ...]:
    options = (Option(value=v, label=label, count=counts.get(v, 0), on=v in chosen) for v, label in labels.items())
    return tuple(sorted(options, key=lambda o: (-o.count, o.label)))


def _bases(query: Query, facets: Facets) -> tuple[Option, ...]:
    """Base models stand under their architecture; one that is all its architecture has is not named twice."""
    options: list[Option] = []
    for group in facets.bases:
        options.append(Option(value=group.id, label=group.label, count=group.count, on=group.id in query.bases))
        options += [
            Option(value=base.id, label=base.label, count=base.count, on=base.id in query.bases, inner=True)
            for base in group.children
            if len(group.children) > 1
        ]
    return tuple(options)


def html(render: Renderer, query: Query, facets: Facets) -> str:
    levels = [Option(value=v, label=label, count=0, on=v == query.nsfw) for v, label in NSFW_WORDS.items()]
    chosen = len(query.hubs) + len(query.bases) + len(query.kinds)
    return render("facets", groups=groups(query, facets), levels=levels, chosen=chosen)
