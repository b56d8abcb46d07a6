"""The library as a list: what is on disk, pinned, and notes about each file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hub_ui.library.lockfile import Entry
from hub_ui.widgets.render import Renderer

PAGE_SIZE = 50
Tone = Literal["good", "problem", ""]


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing to know about an entry; `act` is what can be done about it, with `ref`, on a button saying `button`."""

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
    """What is looked for. `base` and `kind` are empty for all of them. `number` counts pages from 0."""

    text: str = ""
    sort: str = "name"
    base: str = ""
    kind: str = ""
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """One page of what was found. `bases` and `kinds` are what there is to filter by, of all entries."""

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
        """Of its entries, counted from 1."""
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
