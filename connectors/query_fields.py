"""What a row of Query says of a filter, and the three forms of rows: names, numbers, and single values.

From it come the query language (query_language.py) with its documentation, the address, the options of `hub-ui search`,
the columns of the catalog and its index, and what stands beside the list.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from connectors.claims.license import Use, permissions_from
from connectors.claims.resolve import best
from connectors.errors import BadQuery, suggestion
from connectors.query_ranges import FORMS, Range, Units, range_form, range_text, read_range
from connectors.record import Claim, Lora, Version, WeightFile

_NO_WORDS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a LoRA says, with its default version and main file. `likely` are the claims that the file allows."""

    lora: Lora
    version: Version | None
    file: WeightFile | None
    claims: tuple[Claim, ...]
    likely: tuple[Claim, ...]

    def text(self, name: str) -> tuple[str, ...]:
        """The believed value of a claim, if it is text."""
        value = best(self.likely, name)
        return (value,) if isinstance(value, str) else ()

    def trigger_words(self) -> Iterable[str]:
        """Of all files."""
        sources: list[Lora | Version | WeightFile] = [self.lora, *self.lora.versions]
        sources += [file for version in self.lora.versions for file in version.files]
        for source in sources:
            for claim in source.claims:
                if claim.field == "trigger_words" and isinstance(claim.value, tuple):
                    yield from map(str, claim.value)

    def uses(self) -> Iterable[str]:
        """What its licence allows."""
        terms = best(self.claims, "license_terms")
        license = "".join(self.text("license")) or None
        allowed = permissions_from(self.lora.hub, license, terms if isinstance(terms, str) else None)
        return (use for use in get_args(Use) if allowed and allowed.allows(use))


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What the catalog keeps to find a LoRA by: names that `read` finds, or one number. None is what it makes itself.

    `are_choices`, of a second column: they are choices of the filter, whose first column has names. A card of several
    LoRAs has `all` of their names, the `first` there are, or those of the one that leads it.
    """

    name: str
    read: Callable[[Said], Any] | None = None
    are_choices: bool = False
    merge: Literal["all", "first", "lead"] = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """A filter beside the list, with how many LoRAs each choice would show (of its last column).

    `labels` are those of choices where they are called otherwise than in the query, `left_out` what is offered only
    where it is chosen. Of names without end, the `most` frequent ones are offered. `steps` make a histogram: the
    largest number of each, shown in units of `unit`. `is_open`: it is not folded. `term` is that of the glossary.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    left_out: Callable[[str], bool] = lambda value: False
    most: int = 0
    steps: tuple[int, ...] = ()
    unit: int = 1
    is_open: bool = False
    term: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One filter. `attribute` is its name in Query, and `example` stands in documentation and lists of suggestions.

    A `list` has several values, which are alternatives; a `range` is one Range; of a `single` value the last one
    counts. Values other than `choices` are allowed where `is_open`; `usual` are suggested of values without end. `read`
    raises BadQuery; `write` is its other direction. `say` is what a chip says: one of `texts`, or "{name}" alone, and
    what stands in it. With `has_parameter` it has one of its own in addresses and in the endpoint `search`.
    """

    key: str
    form: Literal["list", "range", "single"]
    meaning: str
    example: str
    say: Callable[[Any], tuple[str, Mapping[str, str]]]
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str
    texts: tuple[str, ...] = ()
    choices: Callable[[], tuple[str, ...]] = tuple
    usual: tuple[str, ...] = ()
    is_open: bool = False
    can_exclude: bool = False
    has_parameter: bool = False
    also: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    facet: Facet | None = None
    attribute: str = ""
    default: Any = None

    def label(self, value: Any, translate: Callable[[str], str] = str) -> str:
        form, named = self.say(value)
        return translate(form).format(**named) if named else translate(form)


def names(
    key: str,
    meaning: str,
    example: str,
    *columns: Column,
    labels: Mapping[str, str] = _NO_WORDS,
    other: str = "{name}",
    name: Callable[[str], str] = str,
    **rest: Any,
) -> Field:
    """A filter by names. `labels` are those of its choices; `other` is that of any other name, which `name` makes."""

    def say(value: str) -> tuple[str, Mapping[str, str]]:
        return (labels[value], {}) if value in labels else (other, {"name": name(value)})

    texts = (*labels.values(), *([other] if other != "{name}" else []))
    return Field(
        key=key, form="list", meaning=meaning, example=example, columns=columns, say=say, texts=texts,
        **{"can_exclude": True, **rest},
    )  # fmt: skip


def numbers(key: str, meaning: str, example: str, column: Column, units: Units, **rest: Any) -> Field:
    """A filter by a range of numbers."""

    def words(form: str) -> str:
        return f"{key} {form}{units.end}"

    def say(value: Range) -> tuple[str, Mapping[str, str]]:
        form, named = range_form(value, units)
        return words(form), named

    return Field(
        key=key, form="range", meaning=meaning, example=example, columns=(column,), say=say,
        texts=tuple(map(words, FORMS.values())), read=lambda text: read_range(text, units, key),
        write=lambda value: range_text(value, units), **rest,
    )  # fmt: skip


def single(
    key: str, meaning: str, example: str, choices: Mapping[str, Any], labels: Mapping[str, str], **rest: Any
) -> Field:
    """A filter with one value, of a few."""
    words = {value: word for word, value in choices.items()}
    return Field(
        key=key, form="single", meaning=meaning, example=example, write=lambda value: words[value],
        read=lambda text: choices[choose(text, tuple(choices), key)], choices=lambda: tuple(choices),
        say=lambda value: (labels[words[value]], {}), texts=tuple(labels.values()), **rest,
    )  # fmt: skip


def choose(text: str, choices: tuple[str, ...], key: str) -> str:
    word = text.casefold()
    if word not in choices:
        near = suggestion(word, choices)
        raise BadQuery(f"“{text[:40]}” is no value for {key}.{near} Choose one of: {', '.join(choices)}.")
    return word
