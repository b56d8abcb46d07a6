"""Which of the library's entries are looked at: found by a word, narrowed by base and kind, in an order, by pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.claims import base_models
from connectors.errors import NotFound, UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.library.lockfile import Entry
from hub_ui.services import Services, record_of
from hub_ui.widgets import cards, format
from hub_ui.widgets.render import address

PAGE_SIZE = 50
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What the catalog knows of an entry. `image` is an address, and `removed` says that its hub took it down."""

    kind: str = ""
    image: str = ""
    removed: bool = False


@dataclass(frozen=True, kw_only=True)
class Look:
    """`base` and `kind` are empty for all of them. `number` counts pages from 0."""

    text: str = ""
    sort: str = "name"
    base: str = ""
    kind: str = ""
    number: int = 0

    def changed(self, name: str, value: str) -> Look:
        """Raises UsageError for what is no control of the list. Another question starts at its first page."""
        if name == "page":
            return replace(self, number=int(value) if value.isascii() and value.isdigit() else 0)
        if name not in ("text", "sort", "base", "kind") or (name == "sort" and value not in ORDERS):
            raise UsageError("That is no control of this page.")
        changes: dict[str, Any] = {name: value[:200], "number": 0}
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One page of what was found. `bases` and `kinds` are what there is to narrow by, of all entries."""

    entries: tuple[Entry, ...]
    found: int
    number: int
    bases: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def pages(self) -> int:
        return max(1, -(-self.found // PAGE_SIZE))


Order = Callable[[Entry], Any]
ORDERS: Mapping[str, tuple[str, Order]] = {
    "name": ("Name", lambda entry: entry.title.casefold()),
    "base": ("Base", lambda entry: (base_of(entry), entry.title.casefold())),
    "size": ("Largest first", lambda entry: (-entry.size, entry.title.casefold())),
    "hub": ("Hub", lambda entry: (entry.ref.hub, entry.title.casefold())),
}


def listed(entries: Sequence[Entry], known: Mapping[Ref, Remembered], look: Look) -> Listed:
    terms = look.text.casefold().split()

    def fits(entry: Entry) -> bool:
        return (
            (not look.base or base_of(entry) == look.base)
            and (not look.kind or kind_of(entry, known) == look.kind)
            and all(term in _searched(entry) for term in terms)
        )

    found = sorted(filter(fits, entries), key=ORDERS[look.sort][1])
    number = min(look.number, max(0, len(found) - 1) // PAGE_SIZE)
    return Listed(
        entries=tuple(found[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]),
        found=len(found),
        number=number,
        bases=tuple(sorted({base_of(entry) for entry in entries})),
        kinds=tuple(sorted({kind_of(entry, known) for entry in entries})),
    )


def base_of(entry: Entry) -> str:
    """In the words of the page."""
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    return known.label if known else format.visible(entry.base_model) or UNKNOWN


def kind_of(entry: Entry, known: Mapping[Ref, Remembered]) -> str:
    return known[entry.ref].kind or UNKNOWN


def _searched(entry: Entry) -> str:
    return " ".join((entry.title, str(entry.ref), entry.file, *entry.trigger_words)).casefold()


def remembered(services: Services, ref: Ref) -> Remembered:
    """As far as we have heard: the catalog remembers it from the last time its hub was asked."""
    try:
        lora = services.catalog.lora(ref)
    except NotFound:
        return Remembered()
    version = lora.version(ref.version)
    record: Record = record_of(lora, ref if version is not None else ref.lora)
    picture = cards.cover(record, "safe")
    return Remembered(
        kind=record.kind or "",
        image=address(picture.url) if picture else "",
        removed="removed" in (lora.access, version.access if version else ""),
    )
