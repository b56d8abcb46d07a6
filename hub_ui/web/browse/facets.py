"""The filters beside the list: what each choice would show, counted by the same search that the list comes from.

And the search box: suggestions for what is being typed.
"""

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
# They are one group.
LIBRARY = ("installed", "favorite")
# How many base models are offered, beside those that are on.
MOST_BASES = 24


@dataclass(frozen=True, kw_only=True)
class Choice:
    """`count` is None before the list is known. Without a `facet` of its own, it is one of its group's."""

    value: str
    label: str
    on: bool
    count: int | None = None
    inner: bool = False
    facet: str = ""
    is_excluded: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it would show nothing, and is not chosen."""
        return self.count == 0 and not self.on


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
    """Either `choices` or `bars`; `facet` is the key of a filter. It is folded unless it `is_open`."""

    facet: str
    name: str
    choices: tuple[Choice, ...] = ()
    bars: tuple[Bar, ...] = ()
    is_open: bool = False
    term: str = ""

    @property
    def boxes(self) -> list[tuple[str, str, Choice]]:
        """The choices, each with the name and the value of its checkbox: what it adds to the address."""
        return [
            (*filter_pair(each.facet or self.facet, each.value, is_excluded=each.is_excluded), each)
            for each in self.choices
        ]


def choices_of(chosen: Sequence[str], counts: Mapping[str, int], labels: Mapping[str, str]) -> Iterator[Choice]:
    """One for each of `labels`, in their order."""
    for value, label in labels.items():
        yield Choice(value=value, label=label, count=counts.get(value, 0), on=value in chosen)


def frequent(chosen: Sequence[str], counts: Mapping[str, int], most: int) -> Iterator[Choice]:
    """The first values, and those that are on. They are counted without regard to case."""
    spelled = {value.casefold(): value for value in chosen}
    values = dict.fromkeys([*(spelled.get(value, value) for value in itertools.islice(counts, most)), *chosen])
    for value in values:
        label, count = format.visible(value), counts.get(value.casefold(), 0)
        yield Choice(value=value, label=label, count=count, on=value in chosen)


def base_choices(chosen: Sequence[str], bases: Iterable[BaseCount], *, inner: bool = False) -> Iterator[Choice]:
    """Base models after their architecture, without repetition."""
    for base in bases:
        label = format.visible(base.label)
        yield Choice(value=base.id, label=label, count=base.count, on=base.id in chosen, inner=inner)
        if len(base.children) > 1:
            yield from base_choices(chosen, base.children, inner=True)


def quick_choices(query: Query, loaded: PipelineSpec | None, *, sees_library: bool) -> Iterator[Choice]:
    """Filters that most people look for. Each is a part of the query like any other."""
    # LoRAs for a base whose architecture is not known can't be found.
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
    """An architecture's base models come once one of them is chosen, or the architecture itself."""
    families = ([*base_choices(chosen, [base])] for base in bases)
    shown = (each for family in families for each in (family if any(each.on for each in family) else family[:1]))
    yield from (choice for at, choice in enumerate(shown) if at < MOST_BASES or choice.on)


def groups(
    query: Query, facets: Facets | None, *, sees_library: bool = True, loaded: PipelineSpec | None = None
) -> list[Group]:
    """One for each filter that has a facet, those that are not folded first, and of these the names without end last.

    Choices that would show nothing are left out. Without `facets`, there are those of the groups that are not folded,
    and what is chosen in the others, which come with the first answer: nothing is pushed away then. `loaded` is the
    base that images are made with just now.
    """
    names_last = sorted(FIELDS, key=lambda field: field.facet.most if field.facet else 0)
    found = {field.key: group_of(field, query, facets) for field in names_last if field.facet}
    own = [replace(each, facet=key) for key in LIBRARY for each in found.pop(key).choices]
    mine = Group(facet="mine", name=_("Mine"), choices=tuple(own) if sees_library else (), is_open=True)
    offered = quick_choices(query, loaded, sees_library=sees_library)
    quick = tuple(each for each in offered if facets is not None or each.on)
    folded = [*found.values(), Group(facet="quick", name=_("Quick filters"), choices=quick)]
    return [*(each for each in folded if each.is_open), mine, *(each for each in folded if not each.is_open)]


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
        values = [each for each in facet.labels or field.choices() if each in on or not facet.left_out(each)]
        found = choices_of(on, counted, {value: label_of(field, facet, value) for value in values})
    # What was not there at first comes with the counts.
    if facets is None:
        found = (replace(each, count=None) for each in found if each.on or facet.is_open)
    return replace(group, choices=tuple(each for each in found if not each.is_empty))


def label_of(field: Field, facet: Facet, value: str) -> str:
    if value in facet.labels:
        return _(facet.labels[value])
    label = format.field_label(field, field.read(value))
    return label[:1].upper() + label[1:]


def bars(field: Field, facet: Facet, chosen: Range | None, counted: Mapping[int, int]) -> tuple[Bar, ...]:
    """One for each step, and one for the rest. None where all LoRAs are in the same step, unless a range is chosen."""
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
        return {level: word("level", level) for level in NSFW_LEVELS}
    listed = itertools.accumulate(levels.get(level, 0) for level in NSFW_LEVELS)
    return {level: f"{word('level', level)} ({format.number(n)})" for level, n in zip(NSFW_LEVELS, listed, strict=True)}


MOST = 8
# Values of these are suggested by what the catalog has.
CATALOG_FIELDS = tuple(field.key for field in FIELDS if field.facet and (field.facet.most or field.key == "base"))
SHORTEST_WORD = 3


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """`text` takes the place of what stands between `start` and `end`. `note` says what it is, or how many it has."""

    text: str
    label: str
    note: str
    start: int
    end: int


# A field and the beginning of a value -> such values with how many LoRAs have them.
Values = Callable[[str, str], tuple[tuple[str, int], ...]]


def suggest(text: str, cursor: int, values: Values) -> list[Suggestion]:
    """For the word or value at `cursor`, best first."""
    at = completion(text, cursor)
    if at is None:
        return []
    found = _keys(at, values) if not at.key else _values(at, BY_KEY[at.key], values)
    return [suggestion for suggestion, _number in zip(found, range(MOST), strict=False)]


_KEY_OR_COMMA = re.compile(r"""-?\w+:["“]?$|,["“]?$""")


def without_beginning(text: str, values: Values) -> str:
    """`text` without what is not yet meant at its end: "base:s", if the catalog has values that begin so, or "ro"."""
    at = completion(text, len(text))
    is_short = at is not None and not at.key and at.prefix.isascii() and len(at.prefix) < SHORTEST_WORD
    if at is None or not (is_short or (at.key in CATALOG_FIELDS and values(at.key, at.prefix))):
        return text
    return _KEY_OR_COMMA.sub("", text[: at.start])


def _keys(at: Completion, values: Values) -> Iterator[Suggestion]:
    """Keys that begin like the word, and after these the values that do."""
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
    """Values that the catalog has, else those of the table."""
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
