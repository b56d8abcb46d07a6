"""The filters next to the list, with counts from the same search as the list, and suggestions for the search box."""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.errors import BadQuery
from connectors.query import BY_KEY, FIELDS, Query, Range
from connectors.query_fields import Facet, Field
from connectors.query_language import Completion, choices, completion, value_text
from connectors.record import NSFW_LEVELS
from hub_ui.base import format
from hub_ui.base.i18n import _, ngettext
from hub_ui.catalog.search import BaseCount, Facets
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.web.layout.render import word
from hub_ui.web.view import filter_pair

EARLY_ACCESS = ("access", "paid")
# The filters that form the group "Mine".
LIBRARY = ("installed", "favorite")
# The number of base models to offer, without the chosen ones.
MOST_BASES = 24


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A choice of a filter. `count` is None until the list is known. An empty `facet` means the group's."""

    value: str
    label: str
    on: bool
    count: int | None = None
    inner: bool = False
    facet: str = ""
    is_excluded: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the choice has no results and is not chosen."""
        return self.count == 0 and not self.on


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A step of a histogram. `height` is in percent. A click sets the range `value`, or clears it if it is set."""

    label: str
    title: str
    height: int
    on: bool
    value: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of filters with either `choices` or `bars`. `facet` is the key of a filter. `is_open` means unfolded."""

    facet: str
    name: str
    choices: tuple[Choice, ...] = ()
    bars: tuple[Bar, ...] = ()
    is_open: bool = False
    term: str = ""

    @property
    def boxes(self) -> list[tuple[str, str, Choice]]:
        """The choices, each with the name and the value of its checkbox."""
        return [
            (*filter_pair(choice.facet or self.facet, choice.value, is_excluded=choice.is_excluded), choice)
            for choice in self.choices
        ]


def choices_of(chosen: Sequence[str], counts: Mapping[str, int], labels: Mapping[str, str]) -> Iterator[Choice]:
    """Yield a choice for each of `labels`, in their order."""
    for value, label in labels.items():
        yield Choice(value=value, label=label, count=counts.get(value, 0), on=value in chosen)


def frequent(chosen: Sequence[str], counts: Mapping[str, int], most: int) -> Iterator[Choice]:
    """Yield the first `most` values and the chosen ones. The keys of `counts` are casefolded."""
    spelled = {value.casefold(): value for value in chosen}
    values = dict.fromkeys([*(spelled.get(value, value) for value in itertools.islice(counts, most)), *chosen])
    for value in values:
        label, count = format.visible(value), counts.get(value.casefold(), 0)
        yield Choice(value=value, label=label, count=count, on=value in chosen)


def base_choices(chosen: Sequence[str], bases: Iterable[BaseCount], *, inner: bool = False) -> Iterator[Choice]:
    """Yield each architecture and its base models. Skip a single base model, which is the architecture again."""
    for base in bases:
        label = format.visible(base.label)
        yield Choice(value=base.id, label=label, count=base.count, on=base.id in chosen, inner=inner)
        if len(base.children) > 1:
            yield from base_choices(chosen, base.children, inner=True)


def quick_choices(query: Query, loaded: PipelineSpec | None, *, sees_library: bool) -> Iterator[Choice]:
    """Yield frequent filters: fits the loaded base, not in the library, not in early access."""
    # A base of unknown architecture can't be searched for.
    if loaded is not None and loaded.architecture:
        label = _("Fits {base}, which is loaded").format(base=format.visible(loaded.label))
        value = loaded.architecture
        yield Choice(facet="base", value=value, label=label, on=value in query.bases)
    if sees_library:
        label = _("Not in the library")
        yield Choice(facet="installed", value="no", label=label, on=query.installed is False)
    on = EARLY_ACCESS in query.excluded
    yield Choice(facet="access", value="paid", label=_("Hide early access"), on=on, is_excluded=True)


def unfold(chosen: Sequence[str], bases: Iterable[BaseCount]) -> Iterator[Choice]:
    """Yield the choices of base models. Unfold an architecture if it or one of its base models is chosen."""
    families = ([*base_choices(chosen, [base])] for base in bases)
    shown = (choice for family in families for choice in (family if any(one.on for one in family) else family[:1]))
    yield from (choice for at, choice in enumerate(shown) if at < MOST_BASES or choice.on)


def groups(
    query: Query, facets: Facets | None, *, sees_library: bool = True, loaded: PipelineSpec | None = None
) -> list[Group]:
    """Return the groups of filters, open groups first. Within these, filters with open-ended names come last.

    Choices without results are left out. If `facets` is None, folded groups hold only their chosen values. The rest
    arrives with the first results, so that the page does not jump. `loaded` is the base model in memory.
    """
    names_last = sorted(FIELDS, key=lambda field: field.facet.most if field.facet else 0)
    by_key = {field.key: group_of(field, query, facets) for field in names_last if field.facet}
    in_library = [replace(choice, facet=key) for key in LIBRARY for choice in by_key.pop(key).choices]
    mine = Group(facet="mine", name=_("Mine"), choices=tuple(in_library) if sees_library else (), is_open=True)
    offered = quick_choices(query, loaded, sees_library=sees_library)
    quick = tuple(choice for choice in offered if facets is not None or choice.on)
    others = [*by_key.values(), Group(facet="quick", name=_("Quick filters"), choices=quick)]
    return [*(group for group in others if group.is_open), mine, *(group for group in others if not group.is_open)]


def group_of(field: Field, query: Query, facets: Facets | None) -> Group:
    facet, chosen, known = field.facet or Facet(name=field.key), getattr(query, field.attribute), facets or Facets()
    counted = known.of(field.columns[-1].name if field.columns else field.key)
    group = Group(facet=field.key, name=_(facet.name), is_open=facet.is_open, term=facet.term)
    if facet.steps:
        return replace(group, bars=bars(field, facet, chosen, counted))
    if field.key == "base":
        found = unfold(query.bases, known.bases)
    elif facet.most:
        offered = {value: number for value, number in counted.items() if not facet.left_out(value)}
        found = frequent(chosen, offered, facet.most)
    else:
        on = chosen if field.form == "list" else () if chosen is None else (field.write(chosen),)
        values = [value for value in facet.labels or field.choices() if value in on or not facet.left_out(value)]
        found = choices_of(on, counted, {value: label_of(field, facet, value) for value in values})
    # Before the counts are known, a folded group holds only its chosen values.
    if facets is None:
        found = (replace(choice, count=None) for choice in found if choice.on or facet.is_open)
    return replace(group, choices=tuple(choice for choice in found if not choice.is_empty))


def label_of(field: Field, facet: Facet, value: str) -> str:
    if value in facet.labels:
        return _(facet.labels[value])
    label = format.field_label(field, field.read(value))
    return label[:1].upper() + label[1:]


def bars(field: Field, facet: Facet, chosen: Range | None, counted: Mapping[int, int]) -> tuple[Bar, ...]:
    """Return a bar for each step and a bar for the rest.

    Return an empty tuple if all LoRAs are in one step and no range is chosen.
    """
    between = (Range(least=before + 1, most=most) for before, most in itertools.pairwise(facet.steps))
    steps = (Range(most=facet.steps[0]), *between, Range(least=facet.steps[-1] + 1))
    counts = [sum(count for value, count in counted.items() if value in step) for step in steps]
    if chosen is None and sum(map(bool, counts)) < 2:
        return ()
    return tuple(
        Bar(
            label="+" if step.most is None else str(step.most // facet.unit),
            title=f"{format.field_label(field, step)}: {count_text(count)}",
            height=round(100 * count / max(1, *counts)),
            on=chosen is not None and overlap(chosen, step),
            value=field.write(range_after_click(chosen, step)),
        )
        for step, count in zip(steps, counts, strict=True)
    )


def count_text(number: int) -> str:
    return ngettext("{n} LoRA", "{n} LoRAs", number).format(n=format.number(number))


def overlap(one: Range, other: Range) -> bool:
    ends = [end for end in (one.most, other.most) if end is not None]
    return max(one.least or 0, other.least or 0) <= min(ends, default=math.inf)


def range_after_click(chosen: Range | None, step: Range) -> Range:
    """Return the range after a click on a step. A step outside the chosen range widens it; otherwise it replaces it."""
    if chosen is None or overlap(chosen, step):
        return step
    return Range(
        least=None if None in (chosen.least, step.least) else min(chosen.least or 0, step.least or 0),
        most=None if None in (chosen.most, step.most) else max(chosen.most or 0, step.most or 0),
    )


def level_words(levels: Mapping[str, int] | None) -> dict[str, str]:
    """Return the label of each level of mature images, with its number of LoRAs if `levels` is given."""
    if not levels:
        return {level: word("level", level) for level in NSFW_LEVELS}
    listed = itertools.accumulate(levels.get(level, 0) for level in NSFW_LEVELS)
    return {level: f"{word('level', level)} ({format.number(n)})" for level, n in zip(NSFW_LEVELS, listed, strict=True)}


MOST = 8
# The filters whose suggestions come from the catalog.
CATALOG_FIELDS = tuple(field.key for field in FIELDS if field.facet and (field.facet.most or field.key == "base"))
SHORTEST_WORD = 3


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A suggestion that replaces the text from `start` to `end`. `note` is its meaning or its number of LoRAs."""

    text: str
    label: str
    note: str
    start: int
    end: int


# A function from a field and the beginning of a value to matching values and their numbers of LoRAs.
Values = Callable[[str, str], tuple[tuple[str, int], ...]]


def suggest(text: str, cursor: int, values: Values) -> list[Suggestion]:
    """Return suggestions for the word or value at `cursor`, best first."""
    at = completion(text, cursor)
    if at is None:
        return []
    found = _keys(at, values) if not at.key else _values(at, BY_KEY[at.key], values)
    return [suggestion for suggestion, _number in zip(found, range(MOST), strict=False)]


_KEY_OR_COMMA = re.compile(r"""-?\w+:["“]?$|,["“]?$""")


def without_beginning(text: str, values: Values) -> str:
    """Remove the unfinished end of `text`: a short word, or "base:s" if the catalog has values that start with "s"."""
    at = completion(text, len(text))
    is_short = at is not None and not at.key and at.prefix.isascii() and len(at.prefix) < SHORTEST_WORD
    if at is None or not (is_short or (at.key in CATALOG_FIELDS and values(at.key, at.prefix))):
        return text
    return _KEY_OR_COMMA.sub("", text[: at.start])


def _keys(at: Completion, values: Values) -> Iterator[Suggestion]:
    word = at.prefix.casefold()
    for field in FIELDS:
        if word and any(name.startswith(word) for name in (field.key, *field.also)):
            note = _(field.meaning).replace("`", "").partition(".")[0].partition("。")[0]
            yield Suggestion(text=f"{field.key}:", label=f"{field.key}:", note=note, start=at.start, end=at.end)
    if len(word) >= SHORTEST_WORD:
        for key in CATALOG_FIELDS:
            for value, count in values(key, at.prefix)[:2]:
                yield _suggestion(at, f"{key}:{value_text(value)} ", BY_KEY[key], value, count_text(count))


def _values(at: Completion, field: Field, values: Values) -> Iterator[Suggestion]:
    counted = values(field.key, at.prefix) if field.key in CATALOG_FIELDS else ()
    for value, count in counted:
        yield _suggestion(at, f"{value_text(value)} ", field, value, count_text(count))
    if not counted:
        for value in field.usual or choices(field.key):
            if value.casefold().startswith(at.prefix.casefold()):
                yield _suggestion(at, f"{value_text(value)} ", field, value, "")


def _suggestion(at: Completion, text: str, field: Field, value: str, count: str) -> Suggestion:
    try:
        label = format.visible(format.field_label(field, field.read(value)))
    except BadQuery:
        label = ""
    written = text.strip()
    note = format.join("" if label in (value, written) else label, count)
    return Suggestion(text=text, label=format.visible(written), note=note, start=at.start, end=at.end)
