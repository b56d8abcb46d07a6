"""The query as filters, and as a sentence with removable parts: "41 LoRAs for FLUX.1 that mention ink"."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from connectors.claims import base_models
from connectors.query import Query
from connectors.record import Kind, Nsfw, Record, within
from connectors.registry import HUBS
from hub_ui import format
from hub_ui.catalog.search import BaseCount
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
    """A filter excludes the cards of its other values, so their counts are unknown."""
    on = value in chosen
    number = "" if chosen and not on else format.at_least(count, more=listed.has_more)
    return Option(value=value, label=label, count=number, on=on, inner=inner)


def base_options(query: Query, listed: FacetCounts) -> Iterator[Option]:
    """Base models after their architecture, without repetition; once all cards are known, only bases with cards."""
    # Many cards share a base, which is looked up once.
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


@dataclass(frozen=True, kw_only=True)
class Part:
    """A removable word: `facet` and `value` say what a click takes away; facet "text" empties the search box."""

    lead: str
    label: str
    facet: str
    value: str


def parts(query: Query, *, one: bool = False) -> list[Part]:
    """`one`: verbs and nouns are singular."""
    found: list[Part] = []
    for facet, lead, label in (
        ("hubs", "on", lambda v: HUBS[v].label),
        ("bases", "for", base_name),
        ("kinds", "that is a" if one else "that are", lambda v: v if one else format.KIND_PLURALS[v]),
    ):
        for i, value in enumerate(getattr(query, facet)):
            found.append(Part(lead=lead if i == 0 else "or", label=label(value), facet=facet, value=value))
    if query.text:
        lead = f"{'and' if query.kinds else 'that'} mention{'s' if one else ''}"
        found.append(Part(lead=lead, label=query.text, facet="text", value=""))
    return found


def base_name(value: str) -> str:
    known = base_models.by_id(value)
    return known.label if known else base_models.architecture_label(value)


def summary_html(render: Renderer, query: Query, shown: int, *, has_more: bool = False) -> str:
    """`shown` is the number of cards, a minimum if `has_more`."""
    one = shown == 1 and not has_more
    number = format.at_least(shown, more=has_more) or "…"
    return render("query_summary", number=number, one=one, parts=parts(query, one=one))


def demo_html(render: Renderer, base: str) -> str:
    """Describes the demo and what can be tried in it: LoRAs for its `base`."""
    return render("demo", base=base)
