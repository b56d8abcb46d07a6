"""The definition of a filter in Query, and the three forms of filters: names, numbers, and single values.

Other modules derive from it the query language (query_language.py) with its documentation, the address, the options of
`hub-ui search`, the columns of the catalog and its index, and the facets next to the list. Ranges of ranks, sizes and
ages are written as `>=16`, `<200mb`, `8..32`, `>1y`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, get_args

from connectors.claims.license import Use, permissions_from
from connectors.claims.resolve import best
from connectors.errors import BadQuery, suggestion
from connectors.record import Claim, Lora, Version, WeightFile

_NUMBER = r"(\d{1,18}(?:\.\d{1,6})?)\s?([a-z]*)"
_COMPARISON = re.compile(rf"(>=|<=|>|<|≥|≤|=|)\s?{_NUMBER}", re.IGNORECASE | re.ASCII)
_SPAN = re.compile(rf"(?:{_NUMBER})?\s?\.\.\s?(?:{_NUMBER})?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Whole numbers from `least` to `most`, both included. None leaves an end open."""

    least: int | None = None
    most: int | None = None

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """The units of a range.

    `factors` are the units that can be read, `names` the names of units in output, largest first. If `is_limit` is set,
    a number alone is an upper limit, because few people know a size to the byte. `end` is written after the range.
    """

    factors: Mapping[str, int]
    names: Mapping[str, str]
    example: str
    is_limit: bool = True
    end: str = ""


_DAY = 86_400
# A thousand terabytes, or 30 million years. Larger numbers are capped, so that they fit into a database column.
_LARGEST = 10**15
RANKS = Units(factors={"": 1}, names={"": ""}, example=">=16 or 8..32", is_limit=False)
SIZES = Units(
    factors={"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "k": 10**3, "m": 10**6, "g": 10**9},
    names={"gb": "GB", "mb": "MB", "kb": "kB", "b": "bytes"},
    example="<200mb or 10mb..1gb",
)
AGES = Units(
    factors={"s": 1, "h": 3_600, "d": _DAY, "w": 7 * _DAY, "m": 30 * _DAY, "y": 365 * _DAY},
    names={"y": "year", "d": "day", "h": "hour", "s": "second"},
    example="<30d or >1y",
    end=" ago",
)

# The texts of a range by its sign.
FORMS = {
    ">=": "at least {n}", ">": "more than {n}", "<=": "at most {n}", "<": "less than {n}", "..": "{low} to {high}",
    "=": "{n}",
}  # fmt: skip


def read_range(text: str, units: Units, key: str) -> Range:
    """Return the range that `text` means. Raises BadQuery, with an example, for other text and for an empty range."""
    result: Range | None = None
    if span := _SPAN.fullmatch(text):
        least, least_unit, most, most_unit = span.groups()
        # In "10..20mb", the unit belongs to both ends.
        unit = least_unit or most_unit or ""
        ends = (_amount(least, unit, units, key), _amount(most, most_unit or "", units, key))
        result = Range(least=ends[0], most=ends[1]) if any(end is not None for end in ends) else None
    elif comparison := _COMPARISON.fullmatch(text):
        sign, number, unit = comparison.groups()
        amount = _amount(number, unit, units, key) or 0
        least = {">=": amount, "≥": amount, ">": amount + 1, "=": amount, "": None if units.is_limit else amount}
        most = {"<=": amount, "≤": amount, "<": amount - 1, "=": amount, "": amount}
        result = Range(least=least.get(sign), most=most.get(sign))
    if result is None:
        raise BadQuery(
            f"“{text[:40]}” is not a value for {key}. Write {key}:{units.example.replace(' or ', f' or {key}:')}."
        )
    return both(None, result, text)


def both(one: Range | None, other: Range, text: str) -> Range:
    """Return the intersection of two ranges, the second of which was written as `text`.

    Raises BadQuery if it is empty.
    """
    ranges = (one, other) if one else (other,)
    least = max((r.least for r in ranges if r.least is not None), default=None)
    most = min((r.most for r in ranges if r.most is not None), default=None)
    if least is not None and most is not None and least > most:
        which = "with the one before it, it" if one else "it"
        raise BadQuery(f"Nothing can be in the range “{text[:40]}” here: {which} ends before it begins.")
    return Range(least=least, most=most)


def range_text(value: Range, units: Units) -> str:
    """Return the shortest text that `read_range` reads as `value`."""
    if value.least is not None and value.most is not None:
        if value.least == value.most:
            return f"={_short_text(value.most, units)}" if units.is_limit else _short_text(value.most, units)
        return f"{_short_text(value.least, units)}..{_short_text(value.most, units)}"
    sign, amount = _open_end(value, units)
    return f"{sign}{_short_text(amount, units)}"


def range_form(value: Range, units: Units) -> tuple[str, dict[str, str]]:
    """Return one of FORMS and the values for its placeholders."""
    if value.least is not None and value.most is not None:
        least, most = _long_text(value.least, units), _long_text(value.most, units)
        return ("{n}", {"n": least}) if least == most else ("{low} to {high}", {"low": least, "high": most})
    sign, amount = _open_end(value, units)
    return FORMS[sign], {"n": _long_text(amount, units)}


def _open_end(value: Range, units: Units) -> tuple[str, int]:
    """Return the sign and number of a half-open range, in the shorter form: `<30d` rather than `<=2591999s`."""
    if value.most is not None:
        ends = [("<=", value.most), ("<", value.most + 1)]
    else:
        least = value.least or 0
        ends = [(">=", least), (">", least - 1)]
    return min((end for end in ends if end[1] >= 0), key=lambda end: len(_short_text(end[1], units)))


def _amount(number: str | None, unit: str, units: Units, key: str) -> int | None:
    if number is None:
        return None
    factor = units.factors.get(unit.casefold())
    if factor is None:
        known = [f"“{name}”" for name in units.factors if name]
        raise BadQuery(
            f"{key}:{number}{unit[:20]} has no unit known here. Write {key}:{units.example.partition(' ')[0]}"
            + (f"; the units are {', '.join(known)}." if known else ".")
        )
    return min(int(Decimal(number) * factor), _LARGEST)


def _parts(amount: int, units: Units) -> tuple[int, str]:
    unit = next((unit for unit in units.names if amount and amount % units.factors[unit] == 0), list(units.names)[-1])
    return amount // units.factors[unit], unit


def _short_text(amount: int, units: Units) -> str:
    number, unit = _parts(amount, units)
    return f"{number}{unit}"


def _long_text(amount: int, units: Units) -> str:
    number, unit = _parts(amount, units)
    name = units.names[unit]
    is_counted = units is AGES and number != 1
    return " ".join(filter(None, (f"{number:,}", f"{name}s" if is_counted else name)))


_NO_WORDS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A LoRA with its default version, main file and claims. `likely` are the claims that the file doesn't rule out."""

    lora: Lora
    version: Version | None
    file: WeightFile | None
    claims: tuple[Claim, ...]
    likely: tuple[Claim, ...]

    def text(self, name: str) -> tuple[str, ...]:
        """Return the believed value of a claim as a tuple of one text, or an empty tuple if it isn't text."""
        value = best(self.likely, name)
        return (value,) if isinstance(value, str) else ()

    def trigger_words(self) -> Iterable[str]:
        """Yield the trigger words of all versions and files."""
        sources: list[Lora | Version | WeightFile] = [self.lora, *self.lora.versions]
        sources += [file for version in self.lora.versions for file in version.files]
        for source in sources:
            for claim in source.claims:
                if claim.field == "trigger_words" and isinstance(claim.value, tuple):
                    yield from map(str, claim.value)

    def uses(self) -> Iterable[str]:
        """Return the uses that the licence allows."""
        terms = best(self.claims, "license_terms")
        license = "".join(self.text("license")) or None
        return _uses(self.lora.hub, license, terms if isinstance(terms, str) else None)


@lru_cache(maxsize=1_000)
def _uses(hub: str, license: str | None, terms: str | None) -> tuple[Use, ...]:
    allowed = permissions_from(hub, license, terms)
    return tuple(use for use in get_args(Use) if allowed and allowed.allows(use))


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of the catalog and its index, which a filter matches: names, or one number.

    `read` returns the value; None means that the catalog computes the column itself. `are_choices` marks a second
    column that has the choices of the filter, while the first column has names. `merge` says what the card of several
    LoRAs has: the names of `all` of them, the `first` names that any of them has, or the names of the LoRA that leads
    the card.
    """

    name: str
    read: Callable[[Said], Any] | None = None
    are_choices: bool = False
    merge: Literal["all", "first", "lead"] = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """A filter next to the list, with the number of LoRAs for each choice (by the last column of the filter).

    `labels` are the labels that differ from the query's. A choice for which `left_out` is true is shown only while it
    is selected. If any name is possible, the `most` frequent names are offered. `steps` are the upper ends of a
    histogram's bars, shown in units of `unit`. `is_open`: the facet is not folded. `term` is its entry in the glossary.
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
    """One filter. `attribute` is its name in Query, and `example` a value for the documentation and for suggestions.

    A `list` has several values, which are alternatives; a `range` is one Range; for a `single` filter the last value
    wins. `is_open`: values other than `choices` are allowed. `usual` are suggestions for a filter without choices.
    `read` parses a value and raises BadQuery; `write` is its inverse. `unfold` returns the values that a name in a list
    represents. `say` returns the label of a value: one of `texts` or "{name}", and the values for its placeholders.
    `has_parameter`: the filter has a parameter of its own in addresses and in the endpoint `search`.
    """

    key: str
    form: Literal["list", "range", "single"]
    meaning: str
    example: str
    say: Callable[[Any], tuple[str, Mapping[str, str]]]
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str
    unfold: Callable[[str], tuple[str, ...]] = lambda text: (text,)
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
    """Return a filter by names.

    `labels` maps its choices to labels; other names use `other`, with the text of `name` in it.
    """

    def say(value: str) -> tuple[str, Mapping[str, str]]:
        return (labels[value], {}) if value in labels else (other, {"name": name(value)})

    texts = (*labels.values(), *([other] if other != "{name}" else []))
    return Field(
        key=key, form="list", meaning=meaning, example=example, columns=columns, say=say, texts=texts,
        **{"can_exclude": True, **rest},
    )  # fmt: skip


def numbers(key: str, meaning: str, example: str, column: Column, units: Units, **rest: Any) -> Field:
    """Return a filter by a range of numbers."""

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
    """Return a filter with one value out of a few."""
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
