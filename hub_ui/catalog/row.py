"""The values that the catalog finds a LoRA by, computed once when the LoRA is added."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from connectors.claims import base_models
from connectors.claims.resolve import alternatives, best, flatten, possible
from connectors.http.json_fields import moment
from connectors.query import FIELDS
from connectors.query_fields import Field, Said
from connectors.record import NSFW_LEVELS, Claim, Lora, Nsfw, Record, Version, WeightFile, within
from hub_ui.catalog.relevance import merit

LONGEST_WORD = 64
MOST_TERMS = 32
SHORTEST_PREFIX = 3
# The longest query; the rest of a longer text is ignored.
LONGEST_QUERY = 1_000

# Han and kana are written without spaces, so each character is a word and a run of characters is a phrase.
_UNSPACED = r"\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHARACTER = re.compile(rf"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
# Translation tables for ASCII, which nearly all texts are: faster than the regular expression.
_LOWER = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))
_SAME = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
_ACCENT = re.compile(r"[\u0300-\u036f]")
_JOINED = re.compile(r"[a-z][A-Z0-9]|[A-Z][A-Z][a-z]|[0-9][A-Za-z]|[A-Z][0-9]")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TAG = re.compile(r"<[^<>]{0,2000}>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The words of a query. `phrases` are adjacent words, the `quoted` ones first. `whole` is the text as one title.

    With `open_end`, the last phrase is a single word that may still be typed, so longer words that begin with it match
    too.
    """

    whole: str
    phrases: tuple[tuple[str, ...], ...]
    open_end: bool
    quoted: int = 0


def words(text: str) -> list[str]:
    if text.isascii():
        found = text.translate(_LOWER).split()
    else:
        decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
        found = _WORD.findall(unicodedata.normalize("NFC", _ACCENT.sub("", decomposed)))
    is_long = max(map(len, found), default=0) > LONGEST_WORD
    return [word[:LONGEST_WORD] for word in found] if is_long else found


def terms(text: str, quoted: Iterable[str] = ()) -> Terms | None:
    """Read the words of a query, and the quoted texts whose words must be adjacent.

    Return None for blank texts. Text without any word gives no phrases and finds nothing.
    """
    kept = text[:LONGEST_QUERY]
    chunks = [each[:LONGEST_QUERY] for each in quoted if each.strip()]
    if not kept.strip() and not chunks:
        return None
    typed = [tuple(words(chunk)) for chunk in kept.split()]
    phrases = tuple(filter(None, [*(tuple(words(chunk)) for chunk in chunks), *typed]))[-MOST_TERMS:]
    last = phrases[-1] if any(typed) else ()
    return Terms(
        whole=" ".join(word for phrase in phrases for word in phrase),
        phrases=phrases,
        open_end=len(last) == 1 and len(last[0]) >= SHORTEST_PREFIX,
        quoted=max(0, len(phrases) - sum(map(bool, typed))),
    )


def is_unspaced(characters: tuple[str, ...]) -> bool:
    """Return whether all characters are Han or kana."""
    return all(len(each) == 1 and _CHARACTER.match(each) for each in characters)


def searchable(*texts: str) -> str:
    """Join the words of texts with a space before and after each, as rows store them."""
    together = "\n".join(texts)
    return f" {' '.join(words(together))} "


def searchable_names(*texts: str) -> str:
    """Return searchable text, followed by the parts of camel-case names ("PixelArtXL")."""
    together = "\n".join(texts)
    found = together.translate(_SAME).split() if together.isascii() else _WORD.findall(together)
    # Skip plain words and numbers, which most are: `_parts` costs as much as the rest of this function.
    odd = [word for word in found if not ((word.islower() and word.isalpha()) or word.isdigit())]
    return searchable(together, *[part for word in odd for part in _parts(word[: LONGEST_WORD + 1])])


@lru_cache(maxsize=5_000)
def _parts(word: str) -> tuple[str, ...]:
    """Return the parts of a camel-case name, or an empty tuple for other words."""
    if not word.isascii() or _JOINED.search(word) is None:
        return ()
    return tuple(part.lower() for part in _PART.findall(word[:LONGEST_WORD]) if len(part) > 1)


def phrase(of: tuple[str, ...], *, open_end: bool = False) -> str:
    """Return the substring that a `searchable` text with these adjacent words contains."""
    return f" {' '.join(of)}" if open_end else f" {' '.join(of)} "


def without_markup(text: str) -> str:
    """Remove HTML tags, for searching only: this is not a sanitiser."""
    return _TAG.sub(" ", text)


@lru_cache(maxsize=20_000)
def fold_name(name: str) -> str:
    """Normalise a name for comparisons: lower case, single spaces, and no "=" or separator of ours in it."""
    return " ".join(storable(name).casefold().split()).lstrip("=")


def storable(text: str) -> str:
    """Escape lone surrogates and drop NULs, because SQLite stores UTF-8 and its functions stop at NUL."""
    plain = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
    return plain.replace("\x00", "")


# Separators of the values in one column, and of an architecture and its base model. No folded name contains them.
SEPARATOR = "\x1f"
UNDER = "\x1e"
_MAX_TEXT = 8_000
_MAX_NUMBER = 2**36 - 2
_MOST_NAMES = 500
# The `nsfw` of a row that is never listed, because it is withheld or not a LoRA.
UNLISTED = len(NSFW_LEVELS)
# The lowest ceiling at which a LoRA of each level may be listed.
CEILINGS: Mapping[Nsfw | None, int] = {
    level: next(number for number, ceiling in enumerate(NSFW_LEVELS) if within(level, ceiling))
    for level in (None, *NSFW_LEVELS)
}
# The texts of a row, most important first.
TEXTS = ("title", "words", "tag_words", "about", "found")
# The filter columns: names, and numbers that no other column of a row has.
NAMES: tuple[str, ...] = tuple(column.name for field in FIELDS if field.form == "list" for column in field.columns)
_READ = [(field.form, column.name, column.read) for field in FIELDS for column in field.columns if column.read]
_READ_NAMES = [(name, read) for form, name, read in _READ if form == "list"]
_READ_NUMBERS = [(name, read) for form, name, read in _READ if form == "range"]
NUMBERS: tuple[str, ...] = tuple(name for name, _read in _READ_NUMBERS)
# Prefix of choices and other values that are not names. No folded name begins with it.
MARK = "="
# Filters with the choices "any" and "none".
_ANY_OR_NONE = frozenset(field.key for field in FIELDS if "any" in field.choices())


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The searchable values of a LoRA or of a card.

    Numbers to sort by are one more than the hub's, and 0 if the hub gives none. `refs` are its ids on hubs
    ("civitai:1"), the shown one first; most LoRAs have one. `names` and `numbers` are the filter columns (see
    query.Query), with folded names (see `fold_name`). The column "keys" has all names that a base filter may use:
    architecture, its alternatives, base model and the hub's own name, and the base model again with the prefix "=".
    `groups` are pairs of architecture UNDER base model, for the tree of base models. `nsfw` is the lowest ceiling at
    which the LoRA may be listed, or UNLISTED.

    The searchable texts, most important first: `title` (`whole` is the title as one text), `words` (trigger words,
    creator, ids, versions, files, base models), `tag_words`, `about` (the description), `found` (texts of hub searches
    that found it).
    """

    refs: tuple[str, ...]
    nsfw: int
    groups: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, int | None]
    whole: str
    title: str
    words: str
    tag_words: str
    about: str
    found: str = ""
    downloads: int
    likes: int
    newest: int
    merit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """The base model of one file. `alternatives` are other architectures that its layers fit."""

    base_model: str | None
    architecture: str | None
    raw: str | None
    alternatives: tuple[str, ...] = ()

    @property
    def architectures(self) -> tuple[str, ...]:
        """Every architecture that the file may be for, the most likely first."""
        return (*filter(None, (self.architecture,)), *self.alternatives)

    def names(self) -> list[str]:
        return [name for name in (self.base_model, self.architecture, self.raw) if name]

    def labels(self) -> list[str]:
        """Return the names of the base model and their display labels."""
        labels = []
        if self.architecture:
            labels += [self.architecture, base_models.architecture_label(self.architecture)]
        if self.base_model:
            labels += [self.base_model, base_models.label(self.base_model)]
        return [*labels, self.raw] if self.raw else labels

    def filter_keys(self) -> list[str]:
        base_model = [f"={fold_name(self.base_model)}"] if self.base_model else []
        return [*map(fold_name, (*self.names(), *self.alternatives)), *base_model]

    def groups(self) -> tuple[str, ...]:
        """Return pairs of architecture UNDER base model. They are empty if the base of the file is unknown."""
        top = fold_name(self.architecture or self.base_model or self.raw or "")
        likely = f"{top}{UNDER}{fold_name(self.base_model or '')}" if top else ""
        return _unique((likely, *(f"{fold_name(name)}{UNDER}" for name in self.alternatives)))


@lru_cache(maxsize=1_000)
def _texts_of(base: Base) -> tuple[list[str], tuple[str, ...], list[str], dict[str, str]]:
    """Return keys, groups, labels and spellings. Cached, because most LoRAs share a few base models."""
    return base.filter_keys(), base.groups(), base.labels(), {fold_name(name): storable(name) for name in base.names()}


def row_of(lora: Lora) -> Row:
    return row_and_spellings(lora)[0]


def row_and_spellings(lora: Lora) -> tuple[Row, dict[str, str]]:
    """Return the row of a LoRA, and the hub's spelling of each folded base model name.

    An unknown base model is labelled with this spelling.
    """
    version = lora.version(None)
    file = version.file if version else None
    # The claims of a Record, without purely displayed ones.
    claims = (*(file.claims if file else ()), *(version.claims if version else ()), *lora.claims)
    said = Said(lora=lora, version=version, file=file, claims=claims, likely=possible(claims))
    bases = [_texts_of(base) for base in dict.fromkeys(base for base, _, _ in bases_of(lora))]
    title = lora.title[:_MAX_TEXT]
    updated = moment((version.updated_at if version else None) or lora.updated_at)
    newest = int(updated.timestamp()) if updated else None
    labels = (label for _, _, labels, _ in bases for label in labels)
    triggers = _short(said.trigger_words())
    names = {
        name: _unique([fold_name(each[:_MAX_TEXT]) for each in islice(read(said), _MOST_NAMES)])
        for name, read in _READ_NAMES
    }
    row = Row(
        refs=(row_ref(lora.hub, lora.ref.id),),
        nsfw=UNLISTED if lora.is_withheld or best(lora.claims, "is_lora") is False else CEILINGS[lora.nsfw],
        groups=_unique(group for _, groups, *_ in bases for group in groups),
        names={**names, "keys": _unique(key for keys, *_ in bases for key in keys)},
        numbers={name: _whole_number(read(said)) for name, read in _READ_NUMBERS},
        whole=" ".join(words(title)),
        title=searchable_names(title),
        words=searchable_names(*_names(lora, triggers, labels)),
        tag_words=searchable_names(*_short(lora.tags)),
        about=searchable(without_markup(lora.description[:_MAX_TEXT])),
        downloads=_sort_number(lora.downloads),
        likes=_sort_number(lora.likes),
        newest=_sort_number(newest),
        merit=merit(lora.hub, lora.downloads, lora.likes, newest),
    )
    return row, {folded: name for *_, names in bases for folded, name in names.items()}


def row_ref(hub: str, id: str) -> str:
    """Return the id of a LoRA on a hub as it is in `Row.refs`."""
    return f"{hub}:{storable(id).replace(SEPARATOR, '')}"


def bases_of(lora: Lora) -> Iterator[tuple[Base, Version | None, WeightFile | None]]:
    """Yield every file of every version with its base model, the file of the default Record first."""
    if not lora.versions:
        yield _base(lora.claims), None, None
    for version in lora.versions:
        main = version.file
        if main is None:
            yield _base((*version.claims, *lora.claims)), version, None
        for file in sorted(version.files, key=lambda each: each is not main):
            yield _base((*file.claims, *version.claims, *lora.claims)), version, file


def record_for_bases(lora: Lora, bases: tuple[str, ...]) -> Record:
    """Return the Record of the first file for any of the `bases`, or the default Record."""
    if bases:
        for base, version, file in bases_of(lora):
            architectures = base.architectures or (None,)
            if any(base_models.matches(base.base_model, name, base.raw, bases) for name in architectures):
                return flatten(lora, version, file)
    return flatten(lora)


def filter_keys(bases: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys of all rows that match `bases` by the rules of `base_models.matches`."""
    keys = []
    for name in bases:
        keys.append(key := fold_name(name))
        # Rows that have the base model contain its id among their keys as well.
        if name.casefold() not in base_models.ARCHITECTURES and (found := base_models.identify(name)):
            keys.append(f"={found.id}" if key != found.id else key)
    return _unique(keys)


def _base(claims: tuple[Claim, ...]) -> Base:
    trusted = possible(claims)
    return Base(
        base_model=_text(best(trusted, "base_model")),
        architecture=_text(best(trusted, "architecture")),
        raw=_text(best(trusted, "raw_base_model")),
        alternatives=alternatives(trusted),
    )


def filter_term(field: Field, value: str) -> str:
    """Return the term that matches a filter's value. It is empty for a name that folds to nothing."""
    return f"{MARK}{value}" if field.is_open and value in field.choices() else fold_name(value)


def row_terms(field: Field, names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the terms by which a filter of names finds the row."""
    first, *others = field.columns
    found = names[first.name]
    for column in others:
        found += tuple(f"{MARK}{value}" for value in names[column.name]) if column.are_choices else names[column.name]
    if field.key in _ANY_OR_NONE:
        found += (f"{MARK}any" if found else f"{MARK}none",)
    return found


def _names(lora: Lora, triggers: Iterable[str], labels: Iterable[str]) -> list[str]:
    """Return all short texts of a LoRA that a visitor may remember, and the labels of its base models."""
    files = [file for version in lora.versions for file in version.files]
    names = [lora.creator or "", lora.ref.id, *triggers, *labels]
    return _short([*names, *(version.name for version in lora.versions), *(file.name for file in files)])


def _short(names: Iterable[str]) -> list[str]:
    return [name[:_MAX_TEXT] for name in dict.fromkeys(names)][:_MOST_NAMES]


@lru_cache(maxsize=1_000)
def _text(value: object) -> str | None:
    """Return the value if it is text, otherwise None, because a claim may have a value of any type."""
    return storable(value) or None if isinstance(value, str) else None


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, values)))


def _whole_number(value: object) -> int | None:
    return int(max(0, min(value, _MAX_NUMBER))) if isinstance(value, int) else None


def _sort_number(number: int | None) -> int:
    return 0 if number is None else max(0, min(int(number), _MAX_NUMBER)) + 1
