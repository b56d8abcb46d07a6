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
# The end of the text closes an open quote.
_QUOTED = re.compile(rf"[{_QUOTES}]((?:\\.|[^\\{_QUOTES}])*)(?:[{_QUOTES}]|\\?\Z)", re.DOTALL)
_ESCAPE = re.compile(rf"\\([\\{_QUOTES}])")
_TO_ESCAPE = re.compile(rf"[\\{_QUOTES}]")
_WORD = re.compile(r"\S+")
# A comma separates the values of a filter.
_BARE = re.compile(rf"(?!//)[^\s,{_QUOTES}][^\s,]*")
_KEY = re.compile(r"([^\W\d][\w-]{0,29}):(?!//|[\s,]|\Z)")
_KEY_REST = re.compile(r"[\w-]*:?")
_EXCLUSION = re.compile(rf"-(?=[\w{_QUOTES}])")
# Control characters, marks that change the direction of text, and lone surrogates. split() handles spaces.
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
    """A word, a phrase, or, if it has a `field`, a filter with its values."""

    start: int
    end: int
    values: tuple[Value, ...]
    field: Field | None = None
    is_phrase: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One condition: its key ("text" for words), value, label, and the `rest`: the query without the condition."""

    key: str
    value: str
    label: str
    rest: Query
    is_excluded: bool = False


class Completion(NamedTuple):
    """The text being typed, from `start` to `end`: part of a value for `key`, or of a key or word if `key` is ""."""

    key: str
    prefix: str
    start: int
    end: int


def parse(text: str, base: Query | None = None, *, mistakes: dict[str, str] | None = None) -> Query:
    """Return `base` with the conditions of `text` added. Values are added to lists and replace other values.

    Raises BadQuery, with a suggestion, for an unknown key or value. If `mistakes` is given, such a condition is left
    out instead and mapped to the error message there. A word with a colon is a plain word unless the part before the
    colon is a key or very similar to one.
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
    """Return the text that `parse` reads as `query`, without its limit.

    It has the words, the phrases, the exclusions, and then FIELDS in their order.
    """
    pieces = [
        *map(_word_text, query.text.split()),
        *map(quote, query.phrases),
        *(f"-{_exclusion_text(key, value)}" for key, value in query.excluded),
    ]
    for field in FIELDS:
        value = getattr(query, field.attribute)
        if value != field.default:
            values = value if field.form == "list" else (value,)
            pieces.append(f"{field.key}:{','.join(value_text(field.write(item)) for item in values)}")
    return _HIDDEN.sub("", " ".join(pieces))


def parts(query: Query) -> tuple[Part, ...]:
    """Return the removable conditions in the order of `format`: all words as one, every other value alone."""
    conditions: list[Part] = []
    if query.text:
        conditions.append(Part(key="text", value=query.text, label=query.text, rest=replace(query, text="")))
    for phrase in query.phrases:
        rest = replace(query, phrases=_without(query.phrases, phrase))
        conditions.append(Part(key="text", value=phrase, label=f"“{phrase}”", rest=rest))
    for key, value in query.excluded:
        label = BY_KEY[key].label(value) if key in BY_KEY else f"“{value}”" if " " in value else value
        rest = replace(query, excluded=_without(query.excluded, (key, value)))
        conditions.append(Part(key=key, value=value, label=f"not {label}", rest=rest, is_excluded=True))
    for field in FIELDS:
        current = getattr(query, field.attribute)
        if current != field.default:
            for value in current if field.form == "list" else (current,):
                remaining = _without(current, value) if field.form == "list" else field.default
                changes: dict[str, Any] = {field.attribute: remaining}
                rest = replace(query, **changes)
                conditions.append(Part(key=field.key, value=field.write(value), label=field.label(value), rest=rest))
    return tuple(conditions)


def completion(text: str, cursor: int) -> Completion | None:
    """Return the token being typed at `cursor`, up to its end. Return None after a space and inside quoted words."""
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
    ends = (value.end for typed in _tokens(text) for value in typed.values if value.start == start)
    end = max(token.end, next(ends, 0))
    # An open quote would include the words after it.
    is_closed = text[start : start + 1] not in tuple(_QUOTES) or text[end - 1] in _QUOTES
    return Completion(field.key, prefix, start, end if is_closed else token.end)


def choices(key: str) -> tuple[str, ...]:
    """Return the values that `key` can have or often has, or the keys if `key` is ""."""
    if not key:
        return tuple(field.key for field in FIELDS)
    return BY_KEY[key].choices()


def quote(value: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", value) + '"'


def value_text(value: str) -> str:
    """Return `value` as it is written after a key, in quotes if it needs them."""
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
    """Return the comma-separated values and the end of the last one."""
    values: list[Value] = []
    while True:
        if quoted := _QUOTED.match(text, at):
            values.append(_read_quote(quoted))
            at = quoted.end()
        elif bare := _BARE.match(text, at):
            values.append(Value(start=at, end=bare.end(), text=bare[0][:LONGEST_VALUE]))
            at = bare.end()
        if text[at : at + 1] != ",":
            return tuple(values), at
        at += 1


def _read_quote(quoted: re.Match[str]) -> Value:
    text = " ".join(_ESCAPE.sub(r"\1", quoted[1]).split())
    return Value(start=quoted.start(), end=quoted.end(), text=text[:LONGEST_VALUE].rstrip())


def _plain(word: str) -> str:
    """Return a word without the backslash that escapes it. Raises BadQuery for a misspelt filter."""
    if word.startswith("\\"):
        return word[1:] or word
    key = _KEY.match(word)
    if key and _is_near(key[1].casefold()):
        near = suggestion(key[1], choices("")) or suggestion(key[1], BY_KEY)
        keys = ", ".join(choices(""))
        words = f"To search for the words themselves, write {quote(word[:60])}."
        raise BadQuery(f"“{key[1]}” is not a filter.{near} The filters are {keys}. {words}")
    return word[:LONGEST_VALUE]


def _read(token: Token, value: str) -> tuple[str, Any]:
    """Return the attribute of the query and the parsed value, as a tuple for a list. Raises BadQuery."""
    field = token.field
    if field is None:
        word = value if token.is_phrase else _plain(value)
        name = "phrases" if token.is_phrase else "text"
        return ("excluded", (("text", word),)) if token.is_excluded else (name, (word,))
    if not token.is_excluded:
        return field.attribute, _read_list(field, value) if field.form == "list" else field.read(value)
    if not field.can_exclude:
        keys = ", ".join(item.key for item in FIELDS if item.can_exclude)
        raise BadQuery(f"{field.key} can't be excluded, only {keys} and words can. Write {field.key}:{field.example}.")
    return "excluded", tuple((field.key, item) for item in _read_list(field, value))


def _read_list(field: Field, value: str) -> tuple[Any, ...]:
    return tuple(map(field.read, field.unfold(value)))


@lru_cache(maxsize=1_000)
def _is_near(name: str) -> bool:
    """Return whether a word is similar to a filter's name, or has the same letters in another order."""
    letters = sorted(name)
    return any(letters == sorted(key) for key in BY_KEY) or bool(get_close_matches(name, BY_KEY, 1, _NEAR))


def is_filter(text: str) -> bool:
    """Return whether `text` begins with a filter's key, also a misspelt one."""
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
    return tuple(item for item in values if item != value)
