"""Which LoRAs are one card: the same bytes on several hubs.

Two LoRAs on different hubs that share a file, by its SHA-256 or its AutoV3, are one card, unless one of them shares
files with two LoRAs of the other's hub: that is a collection, and all of its parts stay apart. A card has at most one
LoRA of a hub; where more would come together through others, each stays apart.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from connectors.registry import HUBS
from hub_ui.catalog.changes import join_found, split_found
from hub_ui.catalog.row import Row

_T = TypeVar("_T")
_HUB_ORDER = {name: place for place, name in enumerate(HUBS)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sharer:
    """A LoRA by its number; `others` are those on other hubs that have a file of it, by hub."""

    hub: str
    others: Mapping[str, Collection[int]]


def card(number: int, sharers: Mapping[int, Sharer]) -> frozenset[int]:
    """The LoRAs that are one card with this one, itself included."""
    found, waiting = {number: sharers[number].hub}, [number]
    while waiting:
        for other in _same(waiting.pop(), sharers):
            if other in found:
                continue
            if sharers[other].hub in found.values():
                return frozenset({number})
            found[other] = sharers[other].hub
            waiting.append(other)
    return frozenset(found)


def _same(number: int, sharers: Mapping[int, Sharer]) -> list[int]:
    hub = sharers[number].hub
    single = [next(iter(others)) for others in sharers[number].others.values() if len(others) == 1]
    return [other for other in single if len(sharers[other].others[hub]) == 1]


def lead_order(access: str, hub: str, hub_id: str) -> tuple[bool, int, str]:
    """The home that comes first leads: an open one, by the order of HUBS, then by its id."""
    return access != "open", _HUB_ORDER.get(hub, len(HUBS)), hub_id


def card_row(rows: Sequence[Row]) -> Row:
    """The row of a card from those of its homes, the lead's first.

    It is found by what any of them says, sorted by the greatest numbers, and as mature as the strictest says.
    """
    lead = rows[0]

    def every(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for values in lists for value in values))

    def first(values: Iterable[_T | None]) -> _T | None:
        return next((value for value in values if value is not None), None)

    return replace(
        lead,
        refs=every(row.refs for row in rows),
        hubs=every(row.hubs for row in rows),
        kind=first(row.kind for row in rows),
        nsfw=max(row.nsfw for row in rows),
        rank=first(row.rank for row in rows),
        size=first(row.size for row in rows),
        keys=every(row.keys for row in rows),
        groups=every(row.groups for row in rows),
        creators=every(row.creators for row in rows),
        tags=every(row.tags for row in rows),
        triggers=every(row.triggers for row in rows),
        title=_together(row.title for row in rows),
        words=_together(row.words for row in rows),
        tag_words=_together(row.tag_words for row in rows),
        about=_together(row.about for row in rows),
        found=join_found(piece for row in rows for piece in split_found(row.found)),
        downloads=max(row.downloads for row in rows),
        likes=max(row.likes for row in rows),
        newest=max(row.newest for row in rows),
        merit=max(row.merit for row in rows),
    )


def _together(texts: Iterable[str]) -> str:
    """Each text once, without new neighbours for the words at their ends: "|" is in no word (see row.words)."""
    return " | ".join(text.strip() for text in dict.fromkeys(texts) if text.strip()).join("  ")
