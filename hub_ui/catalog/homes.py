"""Which LoRAs are one card: the same bytes at several places.

Any number of LoRAs that share a file are one card, on several hubs or on one. A file is known by its SHA-256; where a
hub doesn't give it, by the one SHA-256 that others give for its AutoV3, else by the AutoV3. An AutoV3 with several
SHA-256 says nothing by itself, nor does the hash of no bytes.

A collection is no copy of its parts: it has, in one version, files of two LoRAs that share nothing with each other. It
is one card only with what has exactly its files.

A Hugging Face card that links one CivitAI page is a home of that LoRA too, where nothing contradicts it, since authors
also link pages that are not theirs: another SHA-256 (unless the tensors are the same), another architecture, bytes that
a different LoRA of CivitAI has, or a second repo that links the page and contradicts the first.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol

from connectors.errors import BadRef
from connectors.query import FIELDS
from connectors.record import Lora
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui.catalog.changes import join_found, split_found
from hub_ui.catalog.row import TEXTS, Row

# Whose names a card has in each column of the filters.
_MERGE = {column.name: column.merge for field in FIELDS for column in field.columns}
_HUB_ORDER = {name: place for place, name in enumerate(HUBS)}
_PAGE = re.compile(r"\b(?:www\.)?civitai\.\w{2,6}/models/\d{1,12}", re.IGNORECASE)
# A card is found by the words of so many of its homes; copies say the same, and there may be hundreds.
_MOST_READ = 20
# It is as popular, as new and as mature as any of them.
_GREATEST = ("nsfw", "downloads", "likes", "newest", "merit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sharer:
    """A LoRA. `versions` are its files, version by version, each by what it is known by; `tensors` are all AutoV3.

    `pages` are the LoRAs that its card links, at most one, and `linkers` those whose card links it; `architectures` are
    looked at where there is one of either.
    """

    hub: str
    versions: tuple[frozenset[str], ...] = ()
    tensors: frozenset[str] = frozenset()
    pages: frozenset[int] = frozenset()
    linkers: frozenset[int] = frozenset()
    architectures: frozenset[str] = frozenset()

    @property
    def files(self) -> frozenset[str]:
        return frozenset().union(*self.versions)


class Sharers(Protocol):
    """LoRAs by their numbers, and the numbers of those that have a file."""

    def __getitem__(self, number: int, /) -> Sharer: ...

    def holders(self, file: str) -> frozenset[int]: ...


def card(number: int, sharers: Sharers) -> frozenset[int]:
    """The LoRAs that are one card with this one, itself included."""
    found, waiting = {number}, [number]
    while waiting:
        one = waiting.pop()
        new = {other for other in candidates(sharers[one], sharers) - found if _are_same(one, other, sharers)}
        found |= new
        waiting += new
    return frozenset(found)


def candidates(sharer: Sharer, sharers: Sharers) -> set[int]:
    """Those that may be on one card with it, itself included."""
    return partners(sharer, sharers).union(sharer.pages, sharer.linkers)


def _are_same(one: int, other: int, sharers: Sharers) -> bool:
    mine, others = sharers[one], sharers[other]
    if mine.files.isdisjoint(others.files):
        return (other in mine.pages and _is_home(one, other, sharers)) or (
            one in others.pages and _is_home(other, one, sharers)
        )
    return mine.files == others.files or not (is_collection(one, sharers) or is_collection(other, sharers))


def partners(sharer: Sharer, sharers: Sharers) -> set[int]:
    """All that have a file of it, itself included."""
    return {other for file in sharer.files for other in sharers.holders(file)}


def is_collection(number: int, sharers: Sharers) -> bool:
    """Whether one version has files of two other LoRAs that share nothing with each other."""
    for files in sharers[number].versions:
        groups = {sharers.holders(file) - {number} for file in files}
        for one, other in combinations(sorted(groups, key=len), 2):
            # Who has both files shares one with all the others.
            for first in one - other:
                if any(sharers[first].files.isdisjoint(sharers[second].files) for second in other - one):
                    return True
    return False


def _is_home(linker: int, page: int, sharers: Sharers) -> bool:
    """Whether a card that links a page is about the LoRA there. Where the two share bytes, those decide."""
    mine, linked = sharers[linker], sharers[page]
    if page == linker or any(sharers[other].hub == linked.hub for other in partners(mine, sharers)):
        return False
    rivals = (sharers[other] for other in linked.linkers)
    return _agree(mine, linked) and all(_agree(mine, rival) for rival in rivals if _agree(rival, linked))


def _agree(one: Sharer, other: Sharer) -> bool:
    hashes, others = one.files - one.tensors, other.files - other.tensors
    is_other = hashes and others and hashes.isdisjoint(others) and one.tensors.isdisjoint(other.tensors)
    known = one.architectures and other.architectures
    return not is_other and not (known and one.architectures.isdisjoint(other.architectures))


def page_of(lora: Lora) -> Ref | None:
    """The CivitAI page that a Hugging Face card links, None where it links none or several."""
    if lora.hub != "huggingface":
        return None
    found = set()
    for match in _PAGE.finditer(lora.description):
        with suppress(BadRef):
            found.add(Ref.parse(match[0].lower()))
    return found.pop() if len(found) == 1 else None


def lead_order(access: str, hub: str, hub_id: str) -> tuple[bool, int, int, str]:
    """The home that comes first leads: an open one, by the order of HUBS, then the one that was numbered first."""
    return access != "open", _HUB_ORDER.get(hub, len(HUBS)), int(hub_id) if hub_id.isdecimal() else 0, hub_id


def card_row(rows: Sequence[Row]) -> Row:
    """The row of a card from those of its homes, the lead's first.

    It is found by what any of the first says, sorted by the greatest numbers, and as mature as the strictest says.
    """
    lead, read = rows[0], rows[:_MOST_READ]

    def every(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for values in lists for value in values))

    def together(name: str) -> tuple[str, ...]:
        if _MERGE[name] == "lead":
            return lead.names[name]
        lists = (row.names[name] for row in rows)
        return every(lists) if _MERGE[name] == "all" else next(filter(None, lists), ())

    values: dict[str, Any] = {name: max(getattr(row, name) for row in rows) for name in _GREATEST}
    values |= {name: _together(getattr(row, name) for row in read) for name in TEXTS}
    values["found"] = join_found(piece for row in rows for piece in split_found(row.found))
    return replace(
        lead,
        refs=every(row.refs for row in rows),
        groups=every(row.groups for row in rows),
        names={name: together(name) for name in lead.names},
        numbers={
            name: next((row.numbers[name] for row in rows if row.numbers[name] is not None), None)
            for name in lead.numbers
        },
        **values,
    )


def _together(texts: Iterable[str]) -> str:
    """Each text once, without new neighbours for the words at their ends: "|" is in no word (see row.words)."""
    return " | ".join(text.strip() for text in dict.fromkeys(texts) if text.strip()).join("  ")
