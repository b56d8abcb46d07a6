"""What a search answers, and what it asks of one row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.claims import base_models
from connectors.record import NSFW_LEVELS, Record
from hub_ui.catalog.plan import FACETS, FILTERS, PLACES, Condition, Plan, measure
from hub_ui.catalog.row import UNDER, Row, phrase, row_terms
from hub_ui.i18n import _


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
    """How many LoRAs each choice would show. A facet ignores its own filter; a LoRA may count under several values.

    `counts` are by the columns of the filters (query.Query) and "installed" and "favorite", those that count nothing
    left out. Sizes are counted by the upper end of a step in bytes, "levels" by the lowest level of mature images at
    which a LoRA is listed, and of names without end the 20 most frequent ones, folded.
    """

    counts: Mapping[str, Mapping[Any, int]] = field(default_factory=dict)
    bases: tuple[BaseCount, ...] = ()

    def of(self, name: str) -> Mapping[Any, int]:
        return self.counts.get(name, {})


@dataclass(frozen=True, kw_only=True, slots=True)
class RingStart:
    """From `start` on, counted from 0, the list has what holds `held` of the `asked` words, or some with a typo."""

    start: int
    asked: int
    held: int
    has_typos: bool

    @property
    def sentence(self) -> str:
        """What the list holds from there on; empty for what was asked for."""
        if self.held < self.asked and self.start:
            return _("With {held} of the {asked} words:").format(held=self.held, asked=self.asked)
        if self.held < self.asked:
            return _("Nothing has all {asked} words. With {held} of them:").format(held=self.held, asked=self.asked)
        if not self.has_typos:
            return ""
        other = _("Nothing is written like that. Written a little differently:")
        return _("Written a little differently:") if self.start else other


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """The first cards of a list by their numbers; `total` counts all of it.

    `rings` say where it begins to hold less than was asked for. `corrected` is the text of the query without its typos,
    where a word is in no LoRA.
    """

    # No two catalogs number their cards alike.
    ids: tuple[int, ...] = field(compare=False)
    total: int
    facets: Facets
    rings: tuple[RingStart, ...] = ()
    corrected: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult(Listing):
    """One page of a list with its records.

    `seen` is when a hub last listed the one of the page that was not listed for longest; None for an empty page.
    """

    records: tuple[Record, ...]
    seen: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """`facets` counts each value. `keys` has each name a base filter could be; `groups` are the pairs of architecture
    and base model.
    """

    total: int = 0
    facets: Mapping[str, Mapping[Any, int]] = field(default_factory=lambda: {name: {} for name in FACETS})


def phrases(plan: Plan) -> list[str] | None:
    """What a row's text must hold, all of it; None when nothing can be found."""
    if plan.terms is None:
        return []
    *first, last = plan.terms.phrases or [()]
    return [*map(phrase, first), phrase(last, open_end=plan.terms.open_end)] if last else None


def most_first(counts: Mapping[Any, int]) -> dict[Any, int]:
    """The most frequent first, equals by name."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def is_excluded(row: Row, plan: Plan) -> bool:
    """Whether it has something that the query excludes."""
    if not plan.without and not plan.excluded:
        return False
    texts = [getattr(row, name) for name in PLACES[-1].fields]
    return any(phrase(each) in text for each in plan.without for text in texts) or any(
        not unwanted.isdisjoint(row_terms(FILTERS[name], row.names)) for name, unwanted in plan.excluded
    )


def failed_conditions(row: Row, plan: Plan) -> set[Condition]:
    """What keeps it from being found, its words aside."""
    failed: set[Condition] = {
        name for name, allowed in plan.filters if allowed.isdisjoint(row_terms(FILTERS[name], row.names))
    }
    failed |= {name for name, range in plan.ranges if measure(name, row) not in range}
    if row.nsfw > plan.nsfw:
        failed.add("nsfw")
    failed |= {name for name, is_wanted in plan.wanted if is_wanted is dict(plan.marks)[name].isdisjoint(row.refs)}
    return failed


def facets(counts: Counts, spellings: Callable[[Sequence[str]], Mapping[str, str]]) -> Facets:
    """`spellings` returns how hubs write folded names that are in no table."""
    found = dict(counts.facets)
    bases = _bases(found.pop("keys"), found.pop("groups"), spellings)
    found["levels"] = {NSFW_LEVELS[level]: number for level, number in found["levels"].items()}
    kept = {name: {value: n for value, n in values.items() if n} for name, values in found.items()}
    return Facets(counts={name: values for name, values in kept.items() if values}, bases=bases)


def _bases(
    keys: Mapping[str, int], groups: Iterable[str], spellings: Callable[[Sequence[str]], Mapping[str, str]]
) -> tuple[BaseCount, ...]:
    """The tree of base models. One that is in no table is labelled with a spelling of its hub."""
    tree: dict[str, list[str]] = {}
    for group in sorted(groups):
        top, _, child = group.partition(UNDER)
        children = tree.setdefault(top, [])
        # As a filter, an id that an architecture and a base model share means the whole architecture.
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
