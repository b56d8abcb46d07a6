"""The query language of the search box, the address and the command line: `base:flux1 rank:>=16 "exact words" -anime`.

docs/query-language.md is its grammar; FIELDS are its filters.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple

from connectors.errors import BadQuery, suggestion
from connectors.query import BY_KEY, FIELDS, LONGEST_TEXT, Query, Range
from connectors.query_fields import Field, both

MOST_VALUES = 64
LONGEST_VALUE = LONGEST_TEXT
_QUOTES = '"“”„'
# The end of the text closes what is open.
_QUOTED = re.compile(rf"[{_QUOTES}]((?:\\.|[^\\{_QUOTES}])*)(?:[{_QUOTES}]|\\?\Z)", re.DOTALL)
_ESCAPE = re.compile(rf"\\([\\{_QUOTES}])")
_TO_ESCAPE = re.compile(rf"[\\{_QUOTES}]")
_WORD = re.compile(r"\S+")
# A comma ends one of several values.
_BARE = re.compile(rf"(?!//)[^\s,{_QUOTES}][^\s,]*")
_KEY = re.compile(r"([^\W\d][\w-]{0,29}):(?!//|[\s,]|\Z)")
_KEY_REST = re.compile(r"[\w-]*:?")
_EXCLUSION = re.compile(rf"-(?=[\w{_QUOTES}])")
# Controls, marks that reorder what is read, and lone surrogates. Spaces are left to split().
_HIDDEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_NEAR = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    start: int
    end: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A word, a phrase, or where it has a field, a filter with its values."""

    start: int
    end: int
    values: tuple[Value, ...]
    field: Field | None = None
    is_phrase: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One condition: its key ("text" for words), its value as text, a label for people, and the query without it."""

    key: str
    value: str
    label: str
    rest: Query
    is_excluded: bool = False


class Completion(NamedTuple):
    """What is typed between `start` and `end`: the start of a value for `key`, or of a key or word where that is ""."""

    key: str
    prefix: str
    start: int
    end: int


def parse(text: str, base: Query | None = None, *, mistakes: dict[str, str] | None = None) -> Query:
    """`base` with the conditions of `text`: values of a list are added to its own, others take their place.

    Raises BadQuery, with a suggestion, for an unknown key or value. If there are `mistakes`, the condition is left out,
    and they map it, as it was written, to what is wrong. A colon behind no key, nor behind something very like one, is
    part of a word.
    """
    query = base or Query()
    single: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {"text": query.text.split()}
    text = _HIDDEN.sub("", text)
    for token in _tokens(text):
        for value in filter(None, (value.text for value in token.values)):
            try:
                name, read = _read(token, value)
                if isinstance(read, tuple):
                    lists.setdefault(name, list(getattr(query, name))).extend(read)
                else:
                    single[name] = both(single.get(name), read, value) if isinstance(read, Range) else read
            except BadQuery as error:
                if mistakes is None:
                    raise
                mistakes[text[token.start : token.end]] = error.message
    words = " ".join(lists.pop("text"))[:LONGEST_VALUE].rstrip()
    several = {name: tuple(dict.fromkeys(values))[:MOST_VALUES] for name, values in lists.items()}
    changes: dict[str, Any] = {**single, **several, "text": words}
    return replace(query, **changes)


def format(query: Query) -> str:
    """The text that `parse` reads as `query`, its limit left out: words, phrases, exclusions, then FIELDS in order."""
    pieces = [
        *map(_word_text, query.text.split()),
        *map(quote, query.phrases),
        *(f"-{_exclusion_text(key, value)}" for key, value in query.excluded),
    ]
    for field in FIELDS:
        value = getattr(query, field.attribute)
        if value != field.default:
            values = value if field.form == "list" else (value,)
            pieces.append(f"{field.key}:{','.join(value_text(field.write(each)) for each in values)}")
    return _HIDDEN.sub("", " ".join(pieces))


def parts(query: Query) -> tuple[Part, ...]:
    """Each condition that can be taken away, in the order of `format`: the words as one, every other value alone."""
    found: list[Part] = []
    if query.text:
        found.append(Part(key="text", value=query.text, label=query.text, rest=replace(query, text="")))
    for phrase in query.phrases:
        rest = replace(query, phrases=_without(query.phrases, phrase))
        found.append(Part(key="text", value=phrase, label=f"“{phrase}”", rest=rest))
    for key, value in query.excluded:
        label = BY_KEY[key].label(value) if key in BY_KEY else f"“{value}”" if " " in value else value
        rest = replace(query, excluded=_without(query.excluded, (key, value)))
        found.append(Part(key=key, value=value, label=f"not {label}", rest=rest, is_excluded=True))
    for field in FIELDS:
        given = getattr(query, field.attribute)
        if given != field.default:
            for value in given if field.form == "list" else (given,):
                left = _without(given, value) if field.form == "list" else field.default
                changes: dict[str, Any] = {field.attribute: left}
                rest = replace(query, **changes)
                found.append(Part(key=field.key, value=field.write(value), label=field.label(value), rest=rest))
    return tuple(found)


def completion(text: str, cursor: int) -> Completion | None:
    """What is being typed at `cursor`, to its end; None after a space and inside quoted words."""
    before = text[:cursor]
    token = next(iter(deque(_tokens(before), maxlen=1)), None)
    if token is None or token.end < len(before) or (token.field is None and token.is_phrase):
        return None
    last = token.values[-1] if token.values else Value(start=token.end, end=token.end, text="")
    field, start, prefix = token.field, last.start, last.text
    if field is None and last.text.endswith(":"):
        field = BY_KEY.get(last.text[:-1].casefold())
        start, prefix = (token.end, "") if field else (start, prefix)
    elif last.end < token.end:  # a comma follows
        start, prefix = token.end, ""
    if field is None:
        rest = _KEY_REST.match(text, token.end)
        return Completion("", prefix, start, rest.end() if rest else token.end)
    ends = (value.end for each in _tokens(text) for value in each.values if value.start == start)
    end = max(token.end, next(ends, 0))
    # A quote that nothing closes would take the words behind it.
    is_closed = text[start : start + 1] not in tuple(_QUOTES) or text[end - 1] in _QUOTES
    return Completion(field.key, prefix, start, end if is_closed else token.end)


def choices(key: str) -> tuple[str, ...]:
    """The values that `key` can have or that are usual for it, or the keys where it is ""."""
    if not key:
        return tuple(field.key for field in FIELDS)
    return BY_KEY[key].choices()


def quote(value: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", value) + '"'


def value_text(value: str) -> str:
    """`value` as it stands behind a key, in quotes if it needs them."""
    return value if _BARE.fullmatch(value) else quote(value)


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while word := _WORD.search(text, at):
        token = _token(text, word)
        yield token
        at = token.end


def _token(text: str, word: re.Match[str]) -> Token:
    start = word.start()
    is_excluded = _EXCLUSION.match(text, start) is not None
    at = start + is_excluded
    key = _KEY.match(text, at)
    if key and (field := BY_KEY.get(key[1].casefold())):
        values, end = _values(text, key.end())
        return Token(start=start, end=end, values=values, field=field, is_excluded=is_excluded)
    if quoted := _QUOTED.match(text, at):
        value = _read_quote(quoted)
        return Token(start=start, end=value.end, values=(value,), is_phrase=True, is_excluded=is_excluded)
    value = Value(start=at, end=word.end(), text=text[at : word.end()])
    return Token(start=start, end=word.end(), values=(value,), is_excluded=is_excluded)


def _values(text: str, at: int) -> tuple[tuple[Value, ...], int]:
    """The values between commas, and where they end."""
    found: list[Value] = []
    while True:
        if quoted := _QUOTED.match(text, at):
            found.append(_read_quote(quoted))
            at = quoted.end()
        elif bare := _BARE.match(text, at):
            found.append(Value(start=at, end=bare.end(), text=bare[0][:LONGEST_VALUE]))
            at = bare.end()
        if text[at : at + 1] != ",":
            return tuple(found), at
        at += 1


def _read_quote(quoted: re.Match[str]) -> Value:
    text = " ".join(_ESCAPE.sub(r"\1", quoted[1]).split())
    return Value(start=quoted.start(), end=quoted.end(), text=text[:LONGEST_VALUE].rstrip())


def _plain(word: str) -> str:
    """A word without its backslash, which takes the meaning from the rest. Raises BadQuery for a misspelt filter."""
    if word.startswith("\\"):
        return word[1:] or word
    key = _KEY.match(word)
    if key and _is_near(key[1].casefold()):
        near = suggestion(key[1], choices("")) or suggestion(key[1], BY_KEY)
        known = ", ".join(choices(""))
        words = f"To search for the words themselves, write {quote(word[:60])}."
        raise BadQuery(f"“{key[1]}” is not a filter.{near} The filters are {known}. {words}")
    return word[:LONGEST_VALUE]


def _read(token: Token, value: str) -> tuple[str, Any]:
    """What a value means, a tuple for a list, and which of a query's attributes it belongs to. Raises BadQuery."""
    field = token.field
    if field is None:
        word = value if token.is_phrase else _plain(value)
        name = "phrases" if token.is_phrase else "text"
        return ("excluded", (("text", word),)) if token.is_excluded else (name, (word,))
    if not token.is_excluded:
        return field.attribute, _read_list(field, value) if field.form == "list" else field.read(value)
    if not field.can_exclude:
        keys = ", ".join(each.key for each in FIELDS if each.can_exclude)
        raise BadQuery(f"{field.key} can't be excluded, only {keys} and words can. Write {field.key}:{field.example}.")
    return "excluded", tuple((field.key, each) for each in _read_list(field, value))


def _read_list(field: Field, value: str) -> tuple[Any, ...]:
    return tuple(map(field.read, field.unfold(value)))


@lru_cache(maxsize=1_000)
def _is_near(name: str) -> bool:
    """Whether a word is a filter's name but for a letter, or with its letters in another order."""
    letters = sorted(name)
    return any(letters == sorted(key) for key in BY_KEY) or bool(get_close_matches(name, BY_KEY, 1, _NEAR))


def is_filter(text: str) -> bool:
    """Whether `text` begins as a filter, or as one that is misspelt."""
    key = _KEY.match(text)
    return key is not None and (key[1].casefold() in BY_KEY or _is_near(key[1].casefold()))


def _word_text(word: str) -> str:
    is_plain = word[0] not in f"\\{_QUOTES}" and not _EXCLUSION.match(word) and not is_filter(word)
    return word if is_plain else f"\\{word}"


def _exclusion_text(key: str, value: str) -> str:
    if key != "text":
        return f"{key}:{value_text(value)}"
    is_plain = _EXCLUSION.match(f"-{value}") and _WORD.fullmatch(value) and value[0] not in _QUOTES
    return value if is_plain and not is_filter(value) else quote(value)


def _without(values: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    return tuple(each for each in values if each != value)
