"""Saved searches, and the LoRAs in them that are new or updated since a person last looked.

On a person's own computer, the page and `hub-ui news` share one file of saved searches. On a hosted page they are
stored in the visitor's cookie.
"""

import json
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.query import Query, Range
from connectors.query_language import parse, value_text
from hub_ui.base import format
from hub_ui.settings.saved_settings import write_private

MOST = 50
LONGEST_NAME, LONGEST_TEXT = 80, 1000
_HOUR, _DAY = 3_600, 86_400
# In the year 2242.
_LATEST = 2**33


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedSearch:
    """A saved search. `text` is in the query language; `seen` is the time of the last look, in seconds since 1970."""

    name: str
    text: str
    seen: int

    def query(self, now: float, limit: int, *, is_rounded: bool = False) -> Query:
        """Return a query for the LoRAs that were updated since `seen`, newest first.

        `is_rounded` rounds the period up to hours, or to days if it is longer than three days. Raise BadQuery if the
        text is invalid, for example because a person has edited the file.
        """
        query = parse(self.text, Query(limit=limit))
        since = max(0.0, now - self.seen)
        unit = 1 if not is_rounded else _HOUR if since < 3 * _DAY else _DAY
        since = math.ceil(since / unit) * unit
        most = since if query.age is None or query.age.most is None else min(since, query.age.most)
        return replace(query, age=Range(most=most), sort="newest")


Searches: TypeAlias = tuple[SavedSearch, ...]


def find(searches: Searches, name: str) -> SavedSearch:
    """Return the saved search of this name. Raise NotFound if there is none."""
    match = next((search for search in searches if search.name == name), None)
    if match is None:
        raise NotFound(f"There is no saved search “{name[:LONGEST_NAME]}”. hub-ui news lists those that there are.")
    return match


def add(searches: Searches, search: SavedSearch) -> Searches:
    """Add a saved search, or replace the one of the same name. Raise UsageError if it is too long or one too many."""
    name = " ".join(search.name.split())[:LONGEST_NAME]
    others = tuple(other for other in searches if other.name != name)
    if not name or len(search.text) > LONGEST_TEXT:
        raise UsageError(f"A saved search has a name and at most {LONGEST_TEXT:,} characters. Make it shorter.")
    if len(others) >= MOST:
        raise UsageError(f"There are {MOST} saved searches, which is the most. Remove one first.")
    return (*others, replace(search, name=name))


def remove(searches: Searches, name: str) -> Searches:
    removed = find(searches, name)
    return tuple(search for search in searches if search is not removed)


def follow(searches: Searches, creator: str, now: float) -> Searches:
    """Save a search for everything by a creator. If it is saved already, remove it."""
    text = f"creator:{value_text(creator)}"
    others = tuple(search for search in searches if search.text != text)
    if len(others) < len(searches):
        return others
    return add(searches, SavedSearch(name=format.query_name(parse(text)), text=text, seen=round(now)))


def look(searches: Searches, names: Collection[str], now: float) -> Searches:
    """Mark the saved searches of these names as seen now."""
    return tuple(replace(search, seen=round(now)) if search.name in names else search for search in searches)


def dumps(searches: Searches) -> str:
    return json.dumps([[search.name, search.text, search.seen] for search in searches], ensure_ascii=False)


def loads(text: str) -> Searches:
    """Read saved searches from the JSON that `dumps` writes. Raise ValueError if it is invalid."""
    try:
        rows = [(str(name), str(search), int(seen)) for name, search, seen in json.loads(text)]
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not all(0 <= seen < _LATEST for _name, _text, seen in rows):
        raise ValueError("a time that is none")
    return tuple(
        SavedSearch(name=name[:LONGEST_NAME], text=search[:LONGEST_TEXT], seen=seen)
        for name, search, seen in rows[:MOST]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchFile:
    """The file with the saved searches of this computer. Several processes may use it at once."""

    path: Path

    def read(self) -> Searches:
        try:
            return loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise HubUiError(f"{self.path} can't be read ({error}). Mend it, or remove it.") from error

    def change(self, edit: Callable[[Searches], Searches]) -> Searches:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".writer")):
            changed = edit(self.read())
            write_private(self.path, dumps(changed))
        return changed
