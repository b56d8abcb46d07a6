"""What the catalog finds a LoRA by, taken out of it once when it is added."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.claims import base_models
from connectors.claims.resolve import best, flatten, possible
from connectors.record import NSFW_LEVELS, Claim, Lora, Record, Version, WeightFile, may_list

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


# Between several values in one column, and between an architecture and its base model. No folded name holds either.
SEPARATOR = "\x1f"
UNDER = "\x1e"
_LONGEST_TEXT = 8_000
_MOST_NUMBER = 2**36 - 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Numbers to sort by are one more than the hub's, 0 where it gives none.

    `keys` are the names a base filter finds it by: architecture, base model and the hub's own name, folded; with "="
    in front the base model alone. `groups` are architecture UNDER base model, for the tree of base models. `nsfw` is
    the lowest ceiling at which it may be listed.
    """

    hub: str
    kind: str | None
    nsfw: int
    rank: int | None
    license: str | None
    keys: tuple[str, ...]
    groups: tuple[str, ...]
    whole: str
    title: str
    names: str
    about: str
    downloads: int
    likes: int
    newest: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What one file says it is for."""

    base_model: str | None
    architecture: str | None
    raw: str | None


def row_of(lora: Lora) -> Row:
    record = flatten(lora)
    bases = tuple(dict.fromkeys(base for base, _, _ in bases_of(lora)))
    return Row(
        hub=lora.hub,
        kind=_text(record.kind),
        nsfw=next(place for place, ceiling in enumerate(NSFW_LEVELS) if may_list(lora.nsfw, ceiling)),
        rank=_whole(record.rank),
        license=_text(record.license),
        keys=_unique(key for base in bases for key in _keys(base)),
        groups=_unique(_group(base) for base in bases),
        whole=" ".join(words(lora.title[:_LONGEST_TEXT])),
        title=searchable_names(lora.title[:_LONGEST_TEXT]),
        names=searchable_names(*_names(lora, bases)),
        about=searchable(without_markup(lora.description[:_LONGEST_TEXT])),
        downloads=_sortable(lora.downloads),
        likes=_sortable(lora.likes),
        newest=_sortable(_seconds(record.updated_at)),
    )


def bases_of(lora: Lora) -> Iterator[tuple[Base, Version | None, WeightFile | None]]:
    """Every file of every version with its base model, the file a Record shows by itself first."""
    if not lora.versions:
        yield _base(lora.claims), None, None
    for version in lora.versions:
        main = version.file
        if main is None:
            yield _base((*version.claims, *lora.claims)), version, None
        for file in sorted(version.files, key=lambda each: each is not main):
            yield _base((*file.claims, *version.claims, *lora.claims)), version, file


def shown(lora: Lora, asked: tuple[str, ...]) -> Record:
    """The Record that answers a base filter: of the first file that is for one of the bases `asked` for."""
    if asked:
        for base, version, file in bases_of(lora):
            if base_models.matches(base.base_model, base.architecture, base.raw, asked):
                return flatten(lora, version, file)
    return flatten(lora)


def asked_keys(asked: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that `base_models.matches` would find a row by."""
    return _unique(key for name in asked for key in _asked(name))


def spellings(lora: Lora) -> dict[str, str]:
    """Folded name -> as written, for base models nobody has listed: their label is what a hub calls them."""
    bases = [base for base, _, _ in bases_of(lora)]
    names = [name for base in bases for name in (base.architecture, base.base_model, base.raw) if name]
    return {folded_name(name): storable(name) for name in names}


def _base(claims: tuple[Claim, ...]) -> Base:
    kept = possible(claims)
    return Base(
        base_model=_text(best(kept, "base_model")),
        architecture=_text(best(kept, "architecture")),
        raw=_text(best(kept, "raw_base_model")),
    )


def _keys(base: Base) -> Iterator[str]:
    yield from (folded_name(name) for name in (base.base_model, base.architecture, base.raw) if name)
    if base.base_model:
        yield f"={folded_name(base.base_model)}"


def _asked(name: str) -> Iterator[str]:
    yield folded_name(name)
    if name.casefold() not in base_models.ARCHITECTURES and (found := base_models.identify(name)):
        yield f"={found.id}"


def _group(base: Base) -> str:
    """An empty text for a file that says nothing about its base."""
    top = folded_name(base.architecture or base.base_model or base.raw or "")
    return f"{top}{UNDER}{folded_name(base.base_model or '')}" if top else ""


def _names(lora: Lora, bases: tuple[Base, ...]) -> list[str]:
    """Everything short that a person may remember a LoRA by, and how its base models are called."""
    files = [file.name for version in lora.versions for file in version.files]
    versions = [version.name for version in lora.versions]
    sources: tuple[Lora | Version | WeightFile, ...] = (
        lora,
        *lora.versions,
        *(file for version in lora.versions for file in version.files),
    )
    triggers = [
        word
        for source in sources
        for claim in source.claims
        if claim.field == "trigger_words" and isinstance(claim.value, tuple)
        for word in claim.value
    ]
    called = [name for base in bases for name in _called(base)]
    found = [lora.creator or "", lora.ref.id, *triggers, *lora.tags, *called, *versions, *files]
    return [text[:_LONGEST_TEXT] for text in dict.fromkeys(found)][:500]


def _called(base: Base) -> Iterator[str]:
    if base.architecture:
        yield from (base.architecture, base_models.architecture_label(base.architecture))
    if base.base_model:
        yield from (base.base_model, base_models.label(base.base_model))
    if base.raw:
        yield base.raw


def _text(value: object) -> str | None:
    """Claims hold what a hub or a file says: another type than the field's costs this value and not the page."""
    return storable(value) or None if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return max(0, min(value, _MOST_NUMBER)) if isinstance(value, int) else None


def _unique(values: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _sortable(number: int | None) -> int:
    return 0 if number is None else max(0, min(int(number), _MOST_NUMBER)) + 1


def _seconds(stamp: str | None) -> int | None:
    """An ISO time as seconds; None for none, and for text that is no time."""
    try:
        moment = datetime.fromisoformat(stamp or "")
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
