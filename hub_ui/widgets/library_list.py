"""The library as a list: what is on disk, pinned, and what was found out about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hub_ui.widgets.render import Renderer

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
class Item:
    """`path` is shown where a person asked for it. With `asking`, the row asks whether to remove the file.

    `opens`: a hub has a page of it.
    """

    ref: str
    title: str
    hub: str
    opens: bool
    image: str
    kind: str
    base: str
    size: str
    trigger_words: str
    notes: tuple[Note, ...] = ()
    path: str = ""
    asking: bool = False


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What is looked for, and what there is to choose from; `first` to `last` of `found` entries are on this page."""

    text: str
    sort: str
    sorts: Sequence[tuple[str, str]]
    base: str
    bases: Sequence[str]
    kind: str
    kinds: Sequence[str]
    number: int
    pages: int
    first: int
    last: int
    found: int


@dataclass(frozen=True, kw_only=True)
class LibraryList:
    """`count` is of all entries, `items` are those of this page, `summary` is counts and bytes.

    `foreign` are files that no entry names. `text` is the lock file's own.
    """

    items: Sequence[Item]
    count: int
    controls: Controls
    summary: str
    folder: str
    lock: str
    text: str
    foreign: Sequence[str] = ()
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """An entry of a lock file that is about to be taken over."""

    title: str
    ref: str
    size: str
    state: str
    tone: Tone


def html(render: Renderer, shelf: LibraryList) -> str:
    return render("shelf", s=shelf)


def import_html(render: Renderer, lines: Sequence[Line], summary: str, count: int) -> str:
    """What a lock file would bring, before anything is done."""
    return render("shelf_import", lines=lines, summary=summary, count=count)
