"""The filters beside the list: what each choice would show, counted by the same search that the list comes from."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from connectors import query_language
from connectors.query import Query, Range
from connectors.query_fields import FIELDS
from connectors.query_language import Part, value_text
from connectors.query_ranges import RANKS, SIZES, Units, range_text
from connectors.record import NSFW_LEVELS, Access, Kind, Nsfw
from connectors.registry import HUBS
from hub_ui import format
from hub_ui.catalog import plan
from hub_ui.catalog.search import BaseCount, Facets
from hub_ui.format import part_label
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.i18n import N_, N_plural, _, ngettext
from hub_ui.web.view import PARAMETERS

NSFW_WORDS: Mapping[Nsfw, str] = {
    "safe": N_("rated safe only"),
    "soft": N_("safe + unrated"),
    "mature": N_("mature, blurred"),
    "explicit": N_("everything, blurred"),
}
USES: Mapping[str, str] = {
    "sell_images": N_("selling images"),
    "run_as_service": N_("paid services"),
    "sell": N_("selling it"),
    "merge": N_("merging it"),
    "no_credit": N_("no credit"),
}
# The highest rank and size of each step, sizes by those that they are counted in. One more step has the rest.
RANK_STEPS = (4, 8, 16, 32, 64, 128)
SIZE_STEPS = plan.SIZE_STEPS[:6]
# What Hugging Face says of files and pages by tags ("region:us" too) is nothing to choose by.
TECHNICAL_TAGS = frozenset(["lora", "safetensors", "diffusers", "diffusers-training", "text-to-image", "peft"])
EARLY_ACCESS = ("access", "paid")
# How many choices a group shows, beside those that are on.
MOST_BASES = 24
MOST_FREQUENT = 8
# The parameter of each filter that has one of its own, and the keys in the query language.
_NAMES = {attribute: name for name, attribute in PARAMETERS.items()}
_KEYS = {field.attribute: field.key for field in FIELDS}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """`count` as it is written; empty before it is known. Without a `facet` of its own, it is one of its group's."""

    value: str
    label: str
    count: str
    on: bool
    inner: bool = False
    facet: str = ""
    is_excluded: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it would show nothing, and is not chosen."""
        return self.count == "0" and not self.on

    def field(self, facet: str) -> tuple[str, str]:
        """The name and the value of its checkbox: what it adds to the address."""
        facet = self.facet or facet
        if facet in _NAMES and not self.is_excluded:
            return _NAMES[facet], self.value
        return "filter", f"{'-' if self.is_excluded else ''}{filter_text(facet, self.value)}"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A step of a histogram, `height` in percent. A click asks for the range `value`, or for none if that is chosen."""

    label: str
    title: str
    height: int
    on: bool
    value: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Either `choices` or `bars`."""

    facet: str
    name: str
    choices: tuple[Choice, ...] = ()
    bars: tuple[Bar, ...] = ()


def filter_text(facet: str, value: str) -> str:
    """A filter in the query language. `facet` is the attribute of the query."""
    return f"{_KEYS[facet]}:{value_text(value)}"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers as they are written. Before the list is known there are none."""

    facets: Facets | None

    def choice(self, value: str, label: str, count: int, *, on: bool, inner: bool = False) -> Choice:
        number = "" if self.facets is None else format.number(count)
        return Choice(value=value, label=label, count=number, on=on, inner=inner)

    def choices(
        self, chosen: Sequence[str], counts: Mapping[str, int], labels: Mapping[str, str]
    ) -> tuple[Choice, ...]:
        """One for each of `labels`, in their order."""
        return tuple(
            self.choice(value, _(label), counts.get(value, 0), on=value in chosen) for value, label in labels.items()
        )

    def frequent(self, chosen: Sequence[str], counts: Mapping[str, int]) -> tuple[Choice, ...]:
        """The first values, and those that are on. They are counted without regard to case."""
        most = itertools.islice(counts, MOST_FREQUENT)
        spelled = {value.casefold(): value for value in chosen}
        values = dict.fromkeys([*(spelled.get(value, value) for value in most), *chosen])
        return tuple(
            self.choice(value, format.visible(value), counts.get(value.casefold(), 0), on=value in chosen)
            for value in values
        )

    def bases(self, chosen: Sequence[str], bases: Iterable[BaseCount], *, inner: bool = False) -> Iterator[Choice]:
        """Base models after their architecture, without repetition."""
        for base in bases:
            label = format.visible(base.label)
            yield self.choice(base.id, label, base.count, on=base.id in chosen, inner=inner)
            if len(base.children) > 1:
                yield from self.bases(chosen, base.children, inner=True)


def quick_choices(query: Query, loaded: PipelineSpec | None, *, sees_library: bool) -> Iterator[Choice]:
    """Filters that most people look for. Each is a part of the query like any other."""
    # LoRAs for a base whose architecture is not known can't be found.
    if loaded is not None and loaded.architecture:
        label = _("Fits {base}, which is loaded").format(base=format.visible(loaded.label))
        value = loaded.architecture
        yield Choice(facet="bases", value=value, label=label, count="", on=value in query.bases)
    if sees_library:
        label = _("Hide what is in the library")
        yield Choice(facet="installed", value="no", label=label, count="", on=query.installed is False)
    on = EARLY_ACCESS in query.excluded
    yield Choice(facet="access", value="paid", label=_("Hide early access"), count="", on=on, is_excluded=True)


def base_choices(counts: Counts, query: Query, bases: Iterable[BaseCount]) -> tuple[Choice, ...]:
    """An architecture's base models come once one of them is chosen, or the architecture itself."""
    families = ([*counts.bases(query.bases, [base])] for base in bases)
    shown = (each for family in families for each in (family if any(each.on for each in family) else family[:1]))
    return tuple(choice for at, choice in enumerate(shown) if at < MOST_BASES or choice.on)


def groups(
    query: Query, facets: Facets | None, *, sees_library: bool = True, loaded: PipelineSpec | None = None
) -> list[Group]:
    """Without `facets`, the choices that are always there, above the groups whose height is not known yet: what stands
    below those comes with them, but for what is chosen, so that it is not pushed away. `loaded` is the base that images
    are made with just now.
    """
    counts, known = Counts(facets=facets), facets or Facets()
    hubs = {hub.name: hub.label for hub in HUBS.values()}
    kinds = {kind: _(kind).capitalize() for kind in get_args(Kind) if kind != "runner" or kind in query.kinds}
    # Open ones are most of them; of the others, only those that there are.
    access = {
        value: _(format.ACCESS_FLAGS.get(value, value)).capitalize()
        for value in get_args(Access)
        if value == "open" or known.access.get(value) or value in query.access
    }
    tags = {tag: count for tag, count in known.tags.items() if ":" not in tag and tag not in TECHNICAL_TAGS}
    favorite = counts.choice("yes", _("Your favourites"), known.favorites, on=query.favorite is True)
    installed = counts.choice("yes", _("In the library"), known.installed, on=query.installed is True)
    quick = tuple(quick_choices(query, loaded, sees_library=sees_library))
    first = (
        Group(facet="quick", name=_("Quick filters"), choices=quick),
        Group(facet="hubs", name=_("Hub"), choices=counts.choices(query.hubs, known.hubs, hubs)),
        Group(facet="kinds", name=_("Kind"), choices=counts.choices(query.kinds, known.kinds, kinds)),
        Group(facet="bases", name=_("Base model"), choices=base_choices(counts, query, known.bases)),
        Group(facet="rank", name=_("Rank"), bars=rank_bars(query.rank, known.ranks)),
        Group(facet="size", name=_("File size"), bars=size_bars(query.size, known.sizes)),
    )
    below = (
        Group(facet="licenses", name=_("Licence permits"), choices=counts.choices(query.licenses, known.permits, USES)),
        Group(facet="access", name=_("Access"), choices=counts.choices(query.access, known.access, access)),
        Group(facet="installed", name=_("Library"), choices=(installed,) if sees_library else ()),
        Group(facet="favorite", name=_("Favourites"), choices=(favorite,) if sees_library else ()),
        Group(facet="creators", name=_("Creator"), choices=counts.frequent(query.creators, known.creators)),
        Group(facet="tags", name=_("Tag"), choices=counts.frequent(query.tags, tags)),
    )
    chosen = (replace(group, choices=tuple(each for each in group.choices if each.on)) for group in below)
    return [*first, *(below if facets is not None else chosen)]


def rank_bars(chosen: Range | None, ranks: Mapping[int, int]) -> tuple[Bar, ...]:
    def title(step: Range) -> str:
        if step.most is None:
            return _("rank above {n}").format(n=RANK_STEPS[-1])
        return _("rank {low} to {high}").format(low=step.least or 1, high=step.most)

    return bars(chosen, ranks, RANK_STEPS, RANKS, label=str, title=title)


def size_bars(chosen: Range | None, sizes: Mapping[int, int]) -> tuple[Bar, ...]:
    def label(size: int) -> str:
        return format.size(size).removesuffix(" MB")

    def title(step: Range) -> str:
        if step.most is None:
            return _("over {size}").format(size=format.size(SIZE_STEPS[-1]))
        return _("up to {size}").format(size=format.size(step.most))

    return bars(chosen, sizes, SIZE_STEPS, SIZES, label=label, title=title)


def bars(
    chosen: Range | None,
    counted: Mapping[int, int],
    ends: Sequence[int],
    units: Units,
    *,
    label: Callable[[int], str],
    title: Callable[[Range], str],
) -> tuple[Bar, ...]:
    """One for each step up to one of `ends`, and one for the rest. None where all LoRAs are in the same step, unless a
    range is chosen.
    """
    between = (Range(least=before + 1, most=most) for before, most in itertools.pairwise(ends))
    steps = (Range(most=ends[0]), *between, Range(least=ends[-1] + 1))
    counts = [sum(count for value, count in counted.items() if value in step) for step in steps]
    if chosen is None and sum(map(bool, counts)) < 2:
        return ()
    return tuple(
        Bar(
            label="+" if step.most is None else label(step.most),
            title=f"{title(step)}: {count_text(count)}",
            height=round(100 * count / max(1, *counts)),
            on=chosen is not None and overlap(chosen, step),
            value=range_text(range_after_click(chosen, step), units),
        )
        for step, count in zip(steps, counts, strict=True)
    )


def count_text(number: int) -> str:
    return ngettext("{n} LoRA", "{n} LoRAs", number).format(n=format.number(number))


def overlap(one: Range, other: Range) -> bool:
    ends = [end for end in (one.most, other.most) if end is not None]
    return max(one.least or 0, other.least or 0) <= min(ends, default=math.inf)


def range_after_click(chosen: Range | None, step: Range) -> Range:
    """A step outside the chosen range widens it, and one inside is all that is left of it."""
    if chosen is None or overlap(chosen, step):
        return step
    return Range(
        least=None if None in (chosen.least, step.least) else min(chosen.least or 0, step.least or 0),
        most=None if None in (chosen.most, step.most) else max(chosen.most or 0, step.most or 0),
    )


def level_words(levels: Mapping[str, int] | None) -> dict[str, str]:
    """What each level of mature images is called, with how many LoRAs it lists."""
    if not levels:
        return {level: _(words) for level, words in NSFW_WORDS.items()}
    listed = itertools.accumulate(levels.get(level, 0) for level in NSFW_LEVELS)
    return {level: f"{_(NSFW_WORDS[level])} ({format.number(n)})" for level, n in zip(NSFW_LEVELS, listed, strict=True)}


# What stands before the first part of its kind, for one LoRA and for several. Other parts speak for themselves. Where
# verbs come last, translators name the parts instead: "base: FLUX.1".
LEADS: Mapping[str, tuple[str, str]] = {
    "hub": N_plural("on", "on"),
    "base": N_plural("for", "for"),
    "kind": N_plural("that is a", "that are"),
    "text": N_plural("that mentions", "that mention"),
}
ORDER = tuple(LEADS)
# They have controls of their own.
ELSEWHERE = ("sort", "nsfw")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A part with what leads to it."""

    lead: str
    label: str
    part: Part


def words(query: Query, *, one: bool = False) -> list[Word]:
    """`one`: verbs and nouns are singular."""
    parts = [part for part in query_language.parts(query) if part.key not in ELSEWHERE]
    parts.sort(key=lambda part: ORDER.index(part.key) if part.key in ORDER and not part.is_excluded else len(ORDER))
    found: list[Word] = []
    for part in parts:
        before, label, lead = found[-1].part if found else None, part_label(part), ""
        if part.key in LEADS and not part.is_excluded:
            lead = ngettext(*LEADS[part.key], 1 if one else 2)
            if before is not None and before.key == part.key and not before.is_excluded:
                lead = _("and") if part.key == "text" else _("or")
            if part.key == "kind" and not one:
                label = _(format.KIND_PLURALS[part.value])
        found.append(Word(lead=lead, label=label, part=part))
    return found
