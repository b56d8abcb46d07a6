"""A person's annotations of LoRAs: favourites, notes, tags, and values that replace the hub's, in one SQLite file.

Several processes may open the file. A change is a transaction, which is synced to disk before it counts as saved.
"""

import json
import math
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from connectors.errors import BadRef, UsageError
from connectors.query import BY_KEY
from connectors.ref import Ref
from hub_ui.base.database import LazyDatabase, transaction
from hub_ui.base.i18n import N_, _

_LABEL = "file of notes and favourites"
LONGEST_NOTE = 4_000
LONGEST_TAG = 60
MOST_TAGS = 20
LONGEST_WORD = 300
MOST_WORDS = 50
LONGEST_BASE = 100
# Weights outside this range give broken images.
LEAST_WEIGHT, MOST_WEIGHT = -1.0, 2.0
NO_WEIGHT = N_("A weight is a number from -1 to 2. Write one such as 0.8.")
# The values that the lock file has as well.
VALUES = ("trigger_words", "weight", "base_model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A person's annotation of a LoRA. `ref` has no version or file, so the annotation also applies to new versions.

    `trigger_words`, `weight` and `base_model` are None if the values of the hub and the file apply. An empty tuple
    means that the LoRA has no trigger words.
    """

    ref: Ref
    favorite: bool = False
    note: str = ""
    tags: tuple[str, ...] = ()
    trigger_words: tuple[str, ...] | None = None
    weight: float | None = None
    base_model: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == Annotation(ref=self.ref)

    @property
    def has_own_values(self) -> bool:
        """Whether a value of this annotation replaces the hub's or the file's."""
        return (self.trigger_words, self.weight, self.base_model) != (None, None, None)


_COLUMNS = tuple(each.name for each in fields(Annotation))
_LISTS = ("tags", "trigger_words")
_PUT = f"INSERT OR REPLACE INTO annotations ({', '.join(_COLUMNS)}) VALUES (:{', :'.join(_COLUMNS)})"


def plain(annotation: Annotation) -> dict[str, Any]:
    """Return the annotation as JSON values."""
    return {**asdict(annotation), "ref": str(annotation.ref)}


def read_annotation(values: Mapping[str, Any]) -> Annotation:
    """Read what `plain` returned. Raises ValueError, TypeError, KeyError or BadRef for other values."""
    lists = {name: None if values[name] is None else tuple(map(str, values[name])) for name in _LISTS}
    known = {**values, **lists, "ref": Ref.parse(values["ref"]), "favorite": bool(values["favorite"])}
    return Annotation(**known)


def _m001_initial(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE annotations (
            ref TEXT PRIMARY KEY, favorite INTEGER NOT NULL, note TEXT NOT NULL, tags TEXT NOT NULL,
            trigger_words TEXT, weight REAL, base_model TEXT) WITHOUT ROWID"""
    )


# Only ever append.
MIGRATIONS = [_m001_initial]


class Annotations:
    """All annotations. The class is thread-safe.

    The first change creates the file. A damaged file is renamed, never deleted. `on_change` is called after each change
    with the LoRAs, and with the names in VALUES that differ from before.
    """

    def __init__(self, path: Path) -> None:
        # The database is durable, because what a person typed can't be recovered from a hub.
        self._database = LazyDatabase(path, _LABEL, MIGRATIONS, {"annotations": _COLUMNS}, check=_rows, is_durable=True)
        self.on_change: Callable[[Mapping[Ref, Collection[str]]], None] = lambda changed: None
        # The annotations, and SQLite's data_version, which changes when another connection has written.
        self._known: tuple[int | None, Mapping[Ref, Annotation]] = (None, MappingProxyType({}))

    def close(self) -> None:
        self._database.close()
        # Values of data_version can't be compared between connections.
        self._known = (None, self._known[1])

    def get(self, ref: Ref) -> Annotation:
        """Return the annotation of a LoRA, or an empty one. Version and file of `ref` are ignored."""
        return self.all().get(ref.lora) or Annotation(ref=ref.lora)

    def all(self) -> Mapping[Ref, Annotation]:
        """Return all annotations by LoRA. The object stays the same until a change."""
        if not self._database.exists:
            return self._known[1]
        with self._database.use() as connection:
            return self._read(connection)

    def favorites(self) -> tuple[Ref, ...]:
        return tuple(ref for ref, annotation in self.all().items() if annotation.favorite)

    def change(self, ref: Ref, **changes: Any) -> Annotation:
        """Set fields of an annotation by name. Raises UsageError for a value that is too long or invalid."""
        self.edit([ref], lambda annotation: replace(annotation, **changes))
        return self.get(ref)

    def edit(self, refs: Iterable[Ref], change: Callable[[Annotation], Annotation]) -> tuple[Annotation, ...]:
        """Apply `change` to the annotations of all `refs`, or to none of them after an error.

        Return the previous annotations.
        """
        with self._database.use() as connection:
            with transaction(connection):
                known = dict(self._read(connection))
                before = [known.get(lora) or Annotation(ref=lora) for lora in dict.fromkeys(ref.lora for ref in refs)]
                for annotation in map(normalize, map(change, before)):
                    if annotation.is_empty:
                        connection.execute("DELETE FROM annotations WHERE ref = ?", (str(annotation.ref),))
                        known.pop(annotation.ref, None)
                    else:
                        values = {**plain(annotation), "favorite": int(annotation.favorite)}
                        lists = {name: json.dumps(values[name]) for name in _LISTS if values[name] is not None}
                        connection.execute(_PUT, values | lists)
                        known[annotation.ref] = annotation
            self._known = self._known[0], MappingProxyType(known)
        after = {old.ref: known.get(old.ref) or Annotation(ref=old.ref) for old in before}
        self.on_change(
            {
                old.ref: [name for name in VALUES if getattr(old, name) != getattr(after[old.ref], name)]
                for old in before
            }
        )
        return tuple(before)

    def _read(self, connection: sqlite3.Connection) -> Mapping[Ref, Annotation]:
        [(version,)] = connection.execute("PRAGMA data_version")
        if self._known[0] != version:
            self._known = version, MappingProxyType(_rows(connection))
        return self._known[1]


def normalize(annotation: Annotation) -> Annotation:
    """Return the annotation as it is stored: valid UTF-8, without duplicates.

    Raises UsageError for a value that is too long or invalid.
    """
    weight = annotation.weight
    if weight is not None and not (math.isfinite(weight) and LEAST_WEIGHT <= weight <= MOST_WEIGHT):
        raise UsageError(_(NO_WEIGHT))
    words = annotation.trigger_words
    base = _storable(annotation.base_model or "").strip()
    if len(base) > LONGEST_BASE:
        raise UsageError(f"A base model's name has at most {LONGEST_BASE} characters. Choose one of the list.")
    note = _storable(annotation.note).strip()
    if len(note) > LONGEST_NOTE:
        raise UsageError(f"A note has at most {LONGEST_NOTE:,} characters, and this one {len(note):,}. Shorten it.")
    return replace(
        annotation,
        ref=annotation.ref.lora,
        favorite=bool(annotation.favorite),
        note=note,
        tags=_unique(annotation.tags, "tag", LONGEST_TAG, MOST_TAGS),
        trigger_words=None if words is None else _unique(words, "trigger word", LONGEST_WORD, MOST_WORDS),
        weight=None if weight is None else float(weight),
        base_model=base or None,
    )


def _unique(texts: Iterable[str], what: str, longest: int, most: int) -> tuple[str, ...]:
    """Return the texts on one line each, without duplicates in other letter case."""
    found: dict[str, str] = {}
    for text in (" ".join(_storable(text).split()) for text in texts):
        if len(text) > longest:
            raise UsageError(f"A {what} has at most {longest} characters, and this one {len(text):,}. Shorten it.")
        if text:
            found.setdefault(text.casefold(), text)
    if len(found) > most:
        raise UsageError(f"A LoRA has at most {most} {what}s of your own. Take one away first.")
    return tuple(found.values())


def _storable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 can't encode, and drop NULs."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def _rows(connection: sqlite3.Connection) -> dict[Ref, Annotation]:
    """Read all annotations. Raises ValueError for rows that this module did not write."""
    found = {}
    for row in connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM annotations"):
        values = dict(zip(_COLUMNS, row, strict=True))
        try:
            lists = {name: json.loads(values[name] or "null") for name in _LISTS}
            annotation = read_annotation({**values, **lists})
        except (TypeError, BadRef) as error:
            raise ValueError(f"the row of {values['ref']!r} can't be read: {error}") from error
        found[annotation.ref] = annotation
    return found


def reset(annotation: Annotation, field: str) -> Annotation:
    """Restore the hub's value of a field."""
    if field not in VALUES:
        raise UsageError(_("That is no button of this page."))
    return replace(annotation, **{field: None})  # type: ignore[arg-type]


def read_weight(text: str) -> float | None:
    """Parse a weight. Return None for an empty text."""
    try:
        return float(text.replace(",", ".")) if text.strip() else None
    except ValueError as error:
        raise UsageError(_(NO_WEIGHT)) from error


# Returns the annotation after an action, from the annotation before, the current trigger words, and the text of a
# field.
Edit = Callable[[Annotation, Sequence[str], str], Annotation]
EDITS: Mapping[str, Edit] = {
    "favorite": lambda old, words, text: replace(old, favorite=True),
    "unfavorite": lambda old, words, text: replace(old, favorite=False),
    "note": lambda old, words, text: replace(old, note=text),
    "tag": lambda old, words, text: replace(old, tags=(*old.tags, text)),
    "untag": lambda old, words, text: replace(
        old, tags=tuple(tag for tag in old.tags if tag.casefold() != text.casefold())
    ),
    "add-word": lambda old, words, text: replace(old, trigger_words=(*words, text)),
    "remove-word": lambda old, words, text: replace(old, trigger_words=tuple(w for w in words if w != text)),
    "set-weight": lambda old, words, text: replace(old, weight=read_weight(text)),
    "base_model": lambda old, words, text: replace(old, base_model=BY_KEY["base"].read(text.strip()) or None),
    "reset": lambda old, words, text: reset(old, text),
}
