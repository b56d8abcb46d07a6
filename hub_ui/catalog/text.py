"""Any text -> words. The catalog's rows and what a person types go through the same cut.

A query becomes words, never syntax: quotes, operators and wildcards are no word characters, so nothing is left of them
that an index or SQL could read. What is whole-word equal here is equal in Tantivy and in SQLite.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LONGEST_WORD = 64
MOST_TERMS = 32
SHORTEST_PREFIX = 3
# A person's query; anything past it can't be a search any more.
LONGEST_QUERY = 1_000

# Han and kana are written without spaces: each character is a word, and a run of them is a phrase.
_UNSPACED = r"\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ACCENT = re.compile(r"[\u0300-\u036f]")
_JOINED = re.compile(r"[a-z][A-Z0-9]|[A-Z][A-Z][a-z]|[0-9][A-Za-z]|[A-Z][0-9]")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TAG = re.compile(r"<[^<>]{0,2000}>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """All `phrases` must be found; each is words that stand side by side. `whole` is the text as one title.

    With `open_end` the last phrase is a single word, and words that begin with it count too: it may still be typed.
    """

    whole: str
    phrases: tuple[tuple[str, ...], ...]
    open_end: bool


def words(text: str) -> list[str]:
    return [word[:LONGEST_WORD] for word in _WORD.findall(_folded(text))]


def terms(text: str) -> Terms | None:
    """What a person typed; None for nothing but spaces. Text without any word gives no phrases, and finds nothing."""
    kept = text[:LONGEST_QUERY]
    if not kept.strip():
        return None
    phrases = tuple(tuple(found) for chunk in kept.split() if (found := words(chunk)))[:MOST_TERMS]
    last = phrases[-1] if phrases else ()
    return Terms(
        whole=" ".join(word for phrase in phrases for word in phrase),
        phrases=phrases,
        open_end=len(last) == 1 and len(last[0]) >= SHORTEST_PREFIX,
    )


def searchable(*texts: str) -> str:
    """Words as the catalog keeps them: each between spaces."""
    return f" {' '.join(word for text in texts for word in words(text))} "


def searchable_names(*texts: str) -> str:
    """The same with the parts of joined-up names ("PixelArtXL") at the end."""
    parts = [part for text in texts for part in _parts(text)]
    return searchable(*texts, *parts)


def phrase(of: tuple[str, ...], *, open_end: bool = False) -> str:
    """The piece of a `searchable` text that holds these words side by side."""
    return f" {' '.join(of)}" if open_end else f" {' '.join(of)} "


def without_markup(text: str) -> str:
    """A description's words without its HTML tags. For searching only: nothing shown comes from here."""
    return _TAG.sub(" ", text)


def folded_name(name: str) -> str:
    """A name as it is compared: case and spacing don't matter, and no separator of ours is left in it."""
    return " ".join(storable(name).casefold().split()).lstrip("=")


def storable(text: str) -> str:
    """SQLite holds UTF-8 and its functions stop at NUL: lone surrogates are escaped and NULs dropped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "")


def _parts(text: str) -> list[str]:
    joined = [word for word in _WORD.findall(text) if word.isascii() and _JOINED.search(word)]
    return [part.lower() for word in joined for part in _PART.findall(word[:LONGEST_WORD]) if len(part) > 1]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", plain)))
