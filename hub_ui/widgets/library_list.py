"""The library as a list: pinned files on disk, with notes about each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hub_ui.library.lockfile import Entry
from hub_ui.widgets.render import Renderer

PAGE_SIZE = 50
Tone = Literal["good", "problem", ""]


@dataclass(frozen=True, kw_only=True)
class Note:
    """A note about an entry; `button` labels an action `act` with `ref`."""

    text: str
    tone: Tone = ""
    act: str = ""
    button: str = ""
    ref: str = ""


@dataclass(frozen=True, kw_only=True)
class LibraryItem:
    """A row of the list. `image` is an address; `path` is shown on request; `asking`: the row asks about removal."""

    entry: Entry
    base: str
    kind: str
    image: str
    notes: tuple[Note, ...] = ()
    path: str = ""
    asking: bool = False


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """The search. `base` and `kind` are empty for all. `number` counts pages from 0."""

    text: str = ""
    sort: str = "name"
    base: str = ""
    kind: str = ""
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """One page of results. `bases` and `kinds` are the filter values of all entries."""

    entries: tuple[Entry, ...]
    found: int
    number: int
    bases: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def pages(self) -> int:
        return max(1, -(-self.found // PAGE_SIZE))

    @property
    def first(self) -> int:
        """The number of its first entry, counted from 1."""
        return self.number * PAGE_SIZE + 1


@dataclass(frozen=True, kw_only=True)
class LibraryList:
    """`count` is of all entries, `items` of this page; `foreign` files have no entry; `text` is the lock file's own."""

    items: Sequence[LibraryItem]
    count: int
    look: ListQuery
    page: ListPage
    sorts: Mapping[str, str]
    summary: str
    folder: str
    lock: str
    text: str
    foreign: Sequence[str] = ()
    said: str = ""


def html(render: Renderer, shelf: LibraryList) -> str:
    return render("library_list", s=shelf)
