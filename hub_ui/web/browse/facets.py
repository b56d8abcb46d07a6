"""The filters beside the list: what each choice would show, counted by the same search that the list comes from."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from connectors import query_language
from connectors.query import Query, Range
from connectors.query_language import Part
from connectors.query_ranges import RANKS, SIZES, Units, range_text
from connectors.record import NSFW_LEVELS, Access, Kind, Nsfw
from connectors.registry import HUBS
from hub_ui import format
from hub_ui.catalog import plan
from hub_ui.catalog.search import BaseCount, Facets
from hub_ui.i18n import N_, N_plural, _, ngettext
from hub_ui.part_labels import part_label

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


@dataclass(frozen=True, kw_only=True)
class Choice:
    """`count` as it is written; empty before it is known. Without a `facet` of its own, it is one of its group's."""

    value: str
    label: str
    count: str
    on: bool
    inner: bool = False
    facet: str = ""
    act: str = "toggle"

    @property
    def is_empty(self) -> bool:
        """Whether it would show nothing, and is not chosen."""
        return self.count == "0" and not self.on


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
    """Either `choices` or `bars`. `term` is its word in the glossary."""

    facet: str
    name: str
    term: str = ""
    choices: tuple[Choice, ...] = ()
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LoadedBase:
    """The base model that images are made with at the moment, so that nothing has to be loaded for its LoRAs."""

    architecture: str
    label: str


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
        found = (
            self.choice(value, _(label), counts.get(value, 0), on=value in chosen) for value, label in labels.items()
        )
        return tuple(found)

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


def quick_choices(query: Query, loaded: LoadedBase | None, *, sees_library: bool) -> Iterator[Choice]:
    """Filters that most people look for. Each is a part of the query like any other."""
    if loaded is not None:
        label = _("Fits {base}, which is loaded").format(base=format.visible(loaded.label))
        value = loaded.architecture
        yield Choice(facet="bases", value=value, label=label, count="", on=value in query.bases)
    if sees_library:
        label = _("Hide what is in the library")
        yield Choice(facet="installed", value="no", label=label, count="", on=query.installed is False)
    on = EARLY_ACCESS in query.excluded
    yield Choice(facet="access", value="paid", label=_("Hide early access"), count="", on=on, act="exclude")


def groups(
    query: Query, facets: Facets | None, *, sees_library: bool = True, loaded: LoadedBase | None = None
) -> list[Group]:
    """Without `facets`, the choices that are always there, above the groups whose height is not known yet: what stands
    below those comes with them, so that it is not pushed away.
    """
    counts, known = Counts(facets=facets), facets or Facets()
    bases = enumerate(counts.bases(query.bases, known.bases))
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
    below: tuple[Group, ...] = (
        Group(
            facet="licenses",
            name=_("Licence permits"),
            term="licence",
            choices=counts.choices(query.licenses, known.permits, USES),
        ),
        Group(facet="access", name=_("Access"), choices=counts.choices(query.access, known.access, access)),
        Group(facet="installed", name=_("Library"), choices=(installed,) if sees_library else ()),
        Group(facet="favorite", name=_("Favourites"), choices=(favorite,) if sees_library else ()),
        Group(facet="creators", name=_("Creator"), choices=counts.frequent(query.creators, known.creators)),
        Group(facet="tags", name=_("Tag"), choices=counts.frequent(query.tags, tags)),
    )
    return [
        Group(
            facet="quick", name=_("Quick filters"), choices=(*quick_choices(query, loaded, sees_library=sees_library),)
        ),
        Group(facet="hubs", name=_("Hub"), term="hub", choices=counts.choices(query.hubs, known.hubs, hubs)),
        Group(facet="kinds", name=_("Kind"), term="kind", choices=counts.choices(query.kinds, known.kinds, kinds)),
        Group(
            facet="bases",
            name=_("Base model"),
            term="base-model",
            choices=tuple(b for n, b in bases if n < MOST_BASES or b.on),
        ),
        Group(facet="rank", name=_("Rank"), term="rank", bars=rank_bars(query.rank, known.ranks)),
        Group(facet="size", name=_("File size"), bars=size_bars(query.size, known.sizes)),
        *(below if facets is not None else (replace(group, choices=()) for group in below)),
    ]


def rank_bars(chosen: Range | None, ranks: Mapping[int, int]) -> tuple[Bar, ...]:
    steps = [*spans(RANK_STEPS)]
    counts = [sum(count for rank, count in ranks.items() if rank in span) for span in steps]
    labels = [*map(str, RANK_STEPS), "+"]
    titles = [_("rank {low} to {high}").format(low=span.least or 1, high=span.most) for span in steps[:-1]]
    titles.append(_("rank above {n}").format(n=RANK_STEPS[-1]))
    return bars(chosen, steps, counts, labels, titles, RANKS)


def size_bars(chosen: Range | None, sizes: Mapping[int, int]) -> tuple[Bar, ...]:
    steps = [*spans(SIZE_STEPS)]
    counts = [sum(count for size, count in sizes.items() if size in span) for span in steps]
    labels = [format.size(size).removesuffix(" MB") for size in SIZE_STEPS] + ["+"]
    titles = [_("up to {size}").format(size=format.size(size)) for size in SIZE_STEPS]
    titles.append(_("over {size}").format(size=format.size(SIZE_STEPS[-1])))
    return bars(chosen, steps, counts, labels, titles, SIZES)


def spans(steps: Sequence[int]) -> Iterator[Range]:
    """From the end of one step to the end of the next; the first begins and the last ends with nothing."""
    yield Range(most=steps[0])
    for before, most in itertools.pairwise(steps):
        yield Range(least=before + 1, most=most)
    yield Range(least=steps[-1] + 1)


def bars(
    chosen: Range | None,
    steps: Sequence[Range],
    counts: Sequence[int],
    labels: Sequence[str],
    titles: Sequence[str],
    units: Units,
) -> tuple[Bar, ...]:
    """No bars where all LoRAs are in the same step, unless a range is chosen."""
    if chosen is None and sum(map(bool, counts)) < 2:
        return ()
    highest = max(1, *counts)
    return tuple(
        Bar(
            label=label,
            title=f"{title}: {count_text(count)}",
            height=round(100 * count / highest),
            on=chosen is not None and overlap(chosen, step),
            value=range_text(range_after_click(chosen, step), units),
        )
        for step, count, label, title in zip(steps, counts, labels, titles, strict=True)
    )


def count_text(number: int) -> str:
    return ngettext("{n} LoRA", "{n} LoRAs", number).format(n=format.number(number))


def overlap(one: Range, other: Range) -> bool:
    return max(one.least or 0, other.least or 0) <= min(_end(one), _end(other))


def _end(span: Range) -> float:
    return math.inf if span.most is None else span.most


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
    found: dict[str, str] = {}
    listed = 0
    for level in NSFW_LEVELS:
        listed += (levels or {}).get(level, 0)
        found[level] = _(NSFW_WORDS[level]) + (f" ({format.number(listed)})" if levels else "")
    return found


# What stands before the first part of its kind, for one LoRA and for several. Other parts speak for themselves. Where
# verbs come last, translators name the parts instead: "base: FLUX.1".
LEADS: Mapping[str, tuple[str, str]] = {
    "hub": N_plural("on", "on"),
    "base": N_plural("for", "for"),
    "kind": N_plural("that is a", "that are"),
    "text": N_plural("that mentions", "that mention"),
}
ORDER = (*(key for key in LEADS if key != "text"), "text")
# They have controls of their own.
ELSEWHERE = ("sort", "nsfw")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A part with what leads to it. The click that removes it names the part by `name`, `value` and `is_excluded`."""

    lead: str
    label: str
    part: Part


def words(query: Query, *, one: bool = False) -> list[Word]:
    """`one`: verbs and nouns are singular."""
    parts = [part for part in query_language.parts(query) if part.key not in ELSEWHERE]
    parts.sort(key=lambda part: ORDER.index(part.key) if part.key in ORDER and not part.is_excluded else len(ORDER))
    found: list[Word] = []
    for part in parts:
        before = found[-1].part if found else None
        follows = before is not None and before.key == part.key and not before.is_excluded
        lead = "" if part.is_excluded or part.key not in LEADS else ngettext(*LEADS[part.key], 1 if one else 2)
        if lead and follows:
            lead = _("and") if part.key == "text" else _("or")
        is_kind = part.key == "kind" and not part.is_excluded and not one
        found.append(
            Word(lead=lead, label=_(format.KIND_PLURALS[part.value]) if is_kind else part_label(part), part=part)
        )
    return found
