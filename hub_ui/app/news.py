"""What is new in saved searches: what their hubs have updated since a person last looked.

On a person's own computer the page and `hub-ui news` share one file of them. A visitor of a hosted page has them in a
cookie.
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
    """`text` is in the query language; `seen` is when a person last looked, in seconds since 1970."""

    name: str
    text: str
    seen: int

    def query(self, now: float, limit: int, *, is_rounded: bool = False) -> Query:
        """What was updated since then, newest first. `is_rounded` has that time in whole hours or days, or a bit more.

        Raises BadQuery for a text that a person wrote into the file.
        """
        found = parse(self.text, Query(limit=limit))
        since = max(0.0, now - self.seen)
        unit = 1 if not is_rounded else _HOUR if since < 3 * _DAY else _DAY
        since = math.ceil(since / unit) * unit
        most = since if found.age is None or found.age.most is None else min(since, found.age.most)
        return replace(found, age=Range(most=most), sort="newest")


Searches: TypeAlias = tuple[SavedSearch, ...]


def find(searches: Searches, name: str) -> SavedSearch:
    """Raises NotFound."""
    found = next((each for each in searches if each.name == name), None)
    if found is None:
        raise NotFound(f"There is no saved search “{name[:LONGEST_NAME]}”. hub-ui news lists those that there are.")
    return found


def add(searches: Searches, search: SavedSearch) -> Searches:
    """In place of the one of the same name. Raises UsageError for one too many."""
    name = " ".join(search.name.split())[:LONGEST_NAME]
    others = tuple(each for each in searches if each.name != name)
    if not name or len(search.text) > LONGEST_TEXT:
        raise UsageError(f"A saved search has a name and at most {LONGEST_TEXT:,} characters. Make it shorter.")
    if len(others) >= MOST:
        raise UsageError(f"There are {MOST} saved searches, which is the most. Remove one first.")
    return (*others, replace(search, name=name))


def remove(searches: Searches, name: str) -> Searches:
    gone = find(searches, name)
    return tuple(each for each in searches if each is not gone)


def follow(searches: Searches, creator: str, now: float) -> Searches:
    """Save a search for everything by a creator. If it is saved already, remove it."""
    text = f"creator:{value_text(creator)}"
    others = tuple(each for each in searches if each.text != text)
    if len(others) < len(searches):
        return others
    return add(searches, SavedSearch(name=format.query_name(parse(text)), text=text, seen=round(now)))


def look(searches: Searches, names: Collection[str], now: float) -> Searches:
    """What came until now is not new any more in those."""
    return tuple(replace(each, seen=round(now)) if each.name in names else each for each in searches)


def dumps(searches: Searches) -> str:
    return json.dumps([[each.name, each.text, each.seen] for each in searches], ensure_ascii=False)


def loads(text: str) -> Searches:
    """Raises ValueError for what `dumps` did not write."""
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
    """The saved searches of this computer. Several processes may use it."""

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
