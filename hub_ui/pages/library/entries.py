"""Which entries of the library are listed: found by a word, filtered by base and kind, sorted, by pages."""

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
from hub_ui.widgets.library_list import PAGE_SIZE, Listed, Look
from hub_ui.widgets.render import address

UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What the catalog knows of an entry. `image` is an address, and `removed` says that its hub took it down."""

    kind: str = ""
    image: str = ""
    removed: bool = False


Order = Callable[[Entry], Any]
ORDERS: Mapping[str, tuple[str, Order]] = {
    "name": ("Name", lambda entry: entry.title.casefold()),
    "base": ("Base", lambda entry: (base_label(entry), entry.title.casefold())),
    "size": ("Largest first", lambda entry: (-entry.size, entry.title.casefold())),
    "hub": ("Hub", lambda entry: (entry.ref.hub, entry.title.casefold())),
}


def change_look(look: Look, name: str, value: str) -> Look:
    """Raises UsageError for what is no control of the list. A changed control leads back to the first page."""
    if name == "page":
        return replace(look, number=int(value) if value.isascii() and value.isdigit() else 0)
    if name not in ("text", "sort", "base", "kind") or (name == "sort" and value not in ORDERS):
        raise UsageError("That is no control of this page.")
    changes: dict[str, Any] = {name: value[:200], "number": 0}
    return replace(look, **changes)


def list_entries(entries: Sequence[Entry], known: Mapping[Ref, Remembered], look: Look) -> Listed:
    terms = look.text.casefold().split()

    def fits(entry: Entry) -> bool:
        text = " ".join((entry.title, str(entry.ref), entry.file, *entry.trigger_words)).casefold()
        return (
            (not look.base or base_label(entry) == look.base)
            and (not look.kind or kind_label(entry, known) == look.kind)
            and all(term in text for term in terms)
        )

    found = sorted(filter(fits, entries), key=ORDERS[look.sort][1])
    number = min(look.number, max(0, len(found) - 1) // PAGE_SIZE)
    return Listed(
        entries=tuple(found[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]),
        found=len(found),
        number=number,
        bases=tuple(sorted({base_label(entry) for entry in entries})),
        kinds=tuple(sorted({kind_label(entry, known) for entry in entries})),
    )


def base_label(entry: Entry) -> str:
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    return known.label if known else format.visible(entry.base_model) or UNKNOWN


def kind_label(entry: Entry, known: Mapping[Ref, Remembered]) -> str:
    return known[entry.ref].kind or UNKNOWN


def catalog_info(services: Services, ref: Ref) -> Remembered:
    """As the catalog remembers it from the last time its hub was asked."""
    try:
        lora = services.catalog.lora(ref)
    except NotFound:
        return Remembered()
    version = lora.version(ref.version)
    record: Record = record_of(lora, ref if version is not None else ref.lora)
    cover = cards.cover(record, "safe")
    return Remembered(
        kind=record.kind or "",
        image=address(cover.url) if cover else "",
        removed="removed" in (lora.access, version.access if version else ""),
    )
