"""Group LoRAs that are copies of each other into one card.

LoRAs that share a file are one card, whether they are on several hubs or on one. Each of them is a home of the card. A
file is identified by its SHA-256. If the hub gives none, it is identified by the SHA-256 that other copies give for its
AutoV3, or else by the AutoV3. An AutoV3 with several SHA-256 does not identify a file, nor does the hash of an empty
file.

A collection is not a copy of its parts: one version of it has files of two LoRAs that have no file in common. It shares
a card only with LoRAs that have exactly its files.

A Hugging Face card that links one CivitAI page is a home of that LoRA too. Authors also link pages of other people, so
a contradiction prevents this: another SHA-256 (unless the tensors are the same), another architecture, bytes that a
different LoRA on CivitAI has, or a second repo that links the page and contradicts the first.
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

# How a card merges each filter column of its homes: "lead", "all", or the first home that has a value.
_MERGE = {column.name: column.merge for field in FIELDS for column in field.columns}
_HUB_ORDER = {name: place for place, name in enumerate(HUBS)}
_PAGE = re.compile(r"\b(?:www\.)?civitai\.\w{2,6}/models/\d{1,12}", re.IGNORECASE)
# The number of homes whose words are searched. Copies have the same words, and a card may have hundreds.
_MOST_READ = 20
# Columns whose largest value among the homes is the card's.
_GREATEST = ("nsfw", "downloads", "likes", "newest", "merit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sharer:
    """A LoRA as it is compared here.

    `versions` has the ids of the files of each version, `tensors` all AutoV3. `pages` are the LoRAs that its card
    links, at most one. `linkers` are the LoRAs whose cards link it. `architectures` are only filled in if there are
    pages or linkers.
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
    """LoRAs by their database id, and the ids of all LoRAs that have a file."""

    def __getitem__(self, number: int, /) -> Sharer: ...

    def holders(self, file: str) -> frozenset[int]: ...


def card(number: int, sharers: Sharers) -> frozenset[int]:
    """Return the LoRAs on the same card as this one, itself included."""
    found, waiting = {number}, [number]
    while waiting:
        member = waiting.pop()
        new = {other for other in candidates(sharers[member], sharers) - found if _are_same(member, other, sharers)}
        found |= new
        waiting += new
    return frozenset(found)


def candidates(sharer: Sharer, sharers: Sharers) -> set[int]:
    """Return the LoRAs that may be on the same card, itself included."""
    return partners(sharer, sharers).union(sharer.pages, sharer.linkers)


def _are_same(first: int, second: int, sharers: Sharers) -> bool:
    first_sharer, second_sharer = sharers[first], sharers[second]
    if first_sharer.files.isdisjoint(second_sharer.files):
        return (second in first_sharer.pages and _is_home(first, second, sharers)) or (
            first in second_sharer.pages and _is_home(second, first, sharers)
        )
    return first_sharer.files == second_sharer.files or not (
        is_collection(first, sharers) or is_collection(second, sharers)
    )


def partners(sharer: Sharer, sharers: Sharers) -> set[int]:
    """Return the ids of all LoRAs that share a file with this one, itself included."""
    return {other for file in sharer.files for other in sharers.holders(file)}


def is_collection(number: int, sharers: Sharers) -> bool:
    """Return whether one version has files of two other LoRAs that have no file in common."""
    for files in sharers[number].versions:
        groups = {sharers.holders(file) - {number} for file in files}
        for one, other in combinations(sorted(groups, key=len), 2):
            # LoRAs with both files have a file in common with every other holder, so only the differences are compared.
            for first in one - other:
                if any(sharers[first].files.isdisjoint(sharers[second].files) for second in other - one):
                    return True
    return False


def _is_home(linker: int, page: int, sharers: Sharers) -> bool:
    """Return whether a linked page is about the linker's own LoRA. If the two share bytes, the files decide instead."""
    sharer, linked = sharers[linker], sharers[page]
    if page == linker or any(sharers[other].hub == linked.hub for other in partners(sharer, sharers)):
        return False
    rivals = (sharers[other] for other in linked.linkers)
    return _are_compatible(sharer, linked) and all(
        _are_compatible(sharer, rival) for rival in rivals if _are_compatible(rival, linked)
    )


def _are_compatible(one: Sharer, other: Sharer) -> bool:
    hashes, others = one.files - one.tensors, other.files - other.tensors
    is_other = hashes and others and hashes.isdisjoint(others) and one.tensors.isdisjoint(other.tensors)
    known = one.architectures and other.architectures
    return not is_other and not (known and one.architectures.isdisjoint(other.architectures))


def page_of(lora: Lora) -> Ref | None:
    """Return the CivitAI page that a Hugging Face card links. Return None if the card links no page or several."""
    if lora.hub != "huggingface":
        return None
    found = set()
    for match in _PAGE.finditer(lora.description):
        with suppress(BadRef):
            found.add(Ref.parse(match[0].lower()))
    return found.pop() if len(found) == 1 else None


def lead_order(access: str, hub: str, hub_id: str) -> tuple[bool, int, int, str]:
    """Return the sort key of a home. The first home leads: open ones, then by the order of HUBS, then the lowest id."""
    return access != "open", _HUB_ORDER.get(hub, len(HUBS)), int(hub_id) if hub_id.isdecimal() else 0, hub_id


def card_row(rows: Sequence[Row]) -> Row:
    """Build the row of a card from the rows of its homes, the lead's first.

    It has the texts of the first _MOST_READ homes. Its sort numbers and NSFW level are the largest of all homes.
    """
    lead, read = rows[0], rows[:_MOST_READ]

    def unique_values(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for values in lists for value in values))

    def merged_names(name: str) -> tuple[str, ...]:
        if _MERGE[name] == "lead":
            return lead.names[name]
        lists = (row.names[name] for row in rows)
        return unique_values(lists) if _MERGE[name] == "all" else next(filter(None, lists), ())

    values: dict[str, Any] = {name: max(getattr(row, name) for row in rows) for name in _GREATEST}
    values |= {name: _join_texts(getattr(row, name) for row in read) for name in TEXTS}
    values["found"] = join_found(piece for row in rows for piece in split_found(row.found))
    return replace(
        lead,
        refs=unique_values(row.refs for row in rows),
        groups=unique_values(row.groups for row in rows),
        names={name: merged_names(name) for name in lead.names},
        numbers={
            name: next((row.numbers[name] for row in rows if row.numbers[name] is not None), None)
            for name in lead.numbers
        },
        **values,
    )


def _join_texts(texts: Iterable[str]) -> str:
    """Join different texts with " | ". No word contains it, so no phrase matches across two texts (see row.words)."""
    return " | ".join(text.strip() for text in dict.fromkeys(texts) if text.strip()).join("  ")
