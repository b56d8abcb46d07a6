"""One transaction of the catalog: LoRAs are written in batches, and the cards they are on follow."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import Any

from connectors.errors import HubUiError
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.changes import Change, Stored
from hub_ui.catalog.codec import decode
from hub_ui.catalog.dialects import Connection
from hub_ui.catalog.homes import Sharer, card, card_row, lead_order
from hub_ui.catalog.row import Row, fold_name, row_of, storable
from hub_ui.catalog.schema import ROW, file_values, row_values
from hub_ui.database import placeholders, timestamp

# Hub and id.
Key = tuple[str, str]
# Names in the table of single values, before the key of a state.
STATE = "state:"
# SQLite takes at least this many values in one statement.
_MOST_VALUES = 900
_WRITTEN = ("change", "seen", "twin", *ROW, "document")
_INSERT = f"""INSERT INTO loras (id, hub, hub_id, lead, first_seen, {", ".join(_WRITTEN)})
              VALUES {placeholders(("id", "hub", "hub_id", "lead", "first_seen", *_WRITTEN))}"""
_UPDATE = f"UPDATE loras SET {', '.join(f'{name} = ?' for name in _WRITTEN)} WHERE id = ?"
_INSERT_FILE = f"INSERT INTO files VALUES {placeholders(range(9))}"
_UPDATE_ROW = f"UPDATE loras SET change = ?, {', '.join(f'{name} = ?' for name in ROW)} WHERE id = ?"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Home:
    lead: int
    order: tuple[bool, int, str]


class Writing:
    """What can be done in a transaction of `Store.writing`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._number = 0

    def stored(self, refs: Iterable[Ref]) -> dict[Key, Stored]:
        return stored(self._connection, refs)

    def update_seen(self, ids: Iterable[int], at: datetime | None = None) -> None:
        """Nothing new about them, but their hub still lists them."""
        time = timestamp(at)
        self._connection.executemany("UPDATE loras SET seen = ? WHERE id = ?", [(time, number) for number in ids])

    def put(self, changes: Sequence[Change], at: datetime | None = None) -> None:
        """Each LoRA once."""
        if not changes:
            return
        time, number, last = timestamp(at), self._next_number(), self._last_id()
        new, old, files, refiled, rows = [], [], [], [], {}
        for change in changes:
            stored, lora = change.stored, change.lora
            listed = time if at is None or stored is None else max(time, stored.seen)
            values = (number, listed, twin(lora), *row_values(change.row), change.document)
            if stored is None:
                last += 1
                new.append((last, *key(lora.ref), last, time, *values))
            else:
                old.append((*values, stored.id))
            one = stored.id if stored else last
            rows[one] = change.row
            now = file_values(lora)
            if change.known is None or now != file_values(change.known):
                refiled.append(one)
                files += [(one, place, *columns) for place, columns in enumerate(now)]
        # With whom they shared a file before.
        before, known = _Sharers(self._connection), {values[-1] for values in old}
        before.load(known.intersection(refiled))
        touched = {other for sharer in before.values() for other in _others(sharer)}
        self._connection.executemany("DELETE FROM files WHERE lora = ?", [(one,) for one in before])
        self._connection.executemany(_INSERT, new)
        self._connection.executemany(_UPDATE, old)
        self._connection.executemany(_INSERT_FILE, files)
        # The first that was seen stays.
        names = {folded: name for change in reversed(changes) for folded, name in change.names.items()}
        self._connection.executemany("INSERT INTO spellings VALUES (?, ?) ON CONFLICT DO NOTHING", [*names.items()])
        self.join(refiled, touched, known, rows)

    def join(
        self,
        refiled: Iterable[int],
        touched: Iterable[int] = (),
        written: Collection[int] = (),
        rows: Mapping[int, Row] = MappingProxyType({}),
    ) -> None:
        """Makes the cards of LoRAs whose files have changed, of those that shared a file with them, and of others.

        `written` are those whose own row has just been written where that of their card belongs. `rows` are the own
        rows of some.
        """
        sharers = _Sharers(self._connection)
        sharers.load(refiled)
        sharing = {number for number, sharer in sharers.items() if sharer.others}
        near = sharing.union(touched, self._on_cards(written), *(_others(sharers[number]) for number in sharing))
        if not near:
            return
        sharers.load(near)
        # A third may belong to one of them now that something went, or no longer since something came between. Where
        # there are more, none of them did or does.
        near |= {other for number in near for other in _others(sharers[number], most=2)}
        while more := self._on_cards(near).union(*(card(number, sharers) for number in near)) - near:
            near |= more
        cards = {number: card(number, sharers) for number in near}
        homes = self._homes(near)
        leads = {number: min(members, key=lambda each: homes[each].order) for number, members in cards.items()}
        moved = {number for number in near if homes[number].lead != leads[number]}
        change = self._next_number()
        sql = "UPDATE loras SET lead = ?, change = ? WHERE id = ?"
        self._connection.executemany(sql, [(leads[one], change, one) for one in moved])
        # Also the card that they left.
        changed = {leads[one] for one in moved.union(near.intersection(written))}
        changed |= {leads[homes[one].lead] for one in moved}
        ordered = {lead: sorted(cards[lead], key=lambda each: homes[each].order) for lead in sorted(changed)}
        self._write_cards(ordered, rows)

    def _write_cards(self, cards: Mapping[int, Sequence[int]], known: Mapping[int, Row]) -> None:
        """`cards` have their members in order, the lead first; of the others than `known` the documents are read."""
        members = {member for members in cards.values() for member in members}
        rows = {number: known[number] for number in members.intersection(known)}
        for number, found, document in each(
            self._connection, "SELECT id, found, document FROM loras WHERE id IN", members - rows.keys()
        ):
            # One that can't be read is replaced when its LoRA is added again.
            with suppress(HubUiError):
                rows[number] = replace(row_of(decode(document)), found=found)
        homes = {lead: [rows[one] for one in members if one in rows] for lead, members in cards.items()}
        change = self._next_number()
        values = [(change, *row_values(card_row(some)), lead) for lead, some in homes.items() if some]
        self._connection.executemany(_UPDATE_ROW, values)

    def _on_cards(self, ids: Iterable[int]) -> set[int]:
        """All that are on a card with several homes, if one of `ids` is."""
        leads = {lead for (lead,) in each(self._connection, "SELECT lead FROM loras WHERE lead != id AND id IN", ids)}
        sql = "SELECT id, lead FROM loras WHERE lead != id AND lead IN"
        return {number for pair in each(self._connection, sql, leads | {*ids}) for number in pair}

    def _homes(self, ids: Iterable[int]) -> dict[int, _Home]:
        sql = "SELECT id, lead, access, hub, hub_id FROM loras WHERE id IN"
        found = each(self._connection, sql, ids)
        return {number: _Home(lead=lead, order=lead_order(*rest)) for number, lead, *rest in found}

    def put_facts(self, sha256: str, facts: str) -> None:
        self._connection.execute(
            """INSERT INTO facts VALUES (?, ?, ?)
               ON CONFLICT (sha256) DO UPDATE SET facts = excluded.facts, at = excluded.at""",
            (storable(sha256), storable(facts), timestamp()),
        )

    def put_state(self, key: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (f"{STATE}{storable(key)}", storable(value)),
        )

    def _next_number(self) -> int:
        """One for all of a transaction, taken when something really changes."""
        if not self._number:
            sql = "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'change'"
            self._connection.execute(sql)
            self._number = latest_change(self._connection)
        return self._number

    def _last_id(self) -> int:
        [(last,)] = self._connection.execute("SELECT coalesce(max(id), 0) FROM loras").fetchall()
        return int(last)


class _Sharers(dict[int, Sharer]):
    """The graph of homes.py, read as far as it is looked at."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, number: int) -> Sharer:
        self.load([number])
        return self[number]

    def load(self, ids: Iterable[int]) -> None:
        others: dict[int, dict[str, set[int]]] = {number: {} for number in ids if number not in self}
        for name in ("sha256", "autov3"):
            sql = f"""SELECT mine.lora, theirs.hub, theirs.lora FROM files mine JOIN files theirs
                      ON theirs.{name} = mine.{name} AND theirs.hub != mine.hub WHERE mine.lora IN"""
            for number, hub, other in each(self._connection, sql, others):
                others[number].setdefault(hub, set()).add(other)
        self.update((number, Sharer(hub="", others={})) for number, found in others.items() if not found)
        # Only of those that share: most don't.
        sharing = [number for number, found in others.items() if found]
        for number, hub in each(self._connection, "SELECT id, hub FROM loras WHERE id IN", sharing):
            self[number] = Sharer(hub=hub, others=others[number])


def _others(sharer: Sharer, most: float = inf) -> set[int]:
    """Those of hubs on which there are at most so many."""
    return {other for others in sharer.others.values() if len(others) <= most for other in others}


def stored(connection: Connection, refs: Iterable[Ref]) -> dict[Key, Stored]:
    """What there is of these LoRAs."""
    found: dict[Key, Stored] = {}
    by_hub: dict[str, set[str]] = {}
    for hub, hub_id in map(key, refs):
        by_hub.setdefault(hub, set()).add(hub_id)
    for hub, ids in by_hub.items():
        sql = "SELECT hub_id, id, found, seen, document FROM loras WHERE hub = ? AND hub_id IN"
        for hub_id, number, words, seen, document in each(connection, sql, ids, hub):
            found[hub, hub_id] = Stored(id=number, found=words, seen=seen, document=document)
    return found


def key(ref: Ref) -> Key:
    """How the table names a LoRA."""
    return ref.hub, storable(ref.id)


def each(connection: Connection, sql: str, values: Iterable[object], *first: object) -> Iterator[Any]:
    """The rows of a statement that ends with IN, for any number of values; `first` stand before them."""
    listed = list(values)
    for start in range(0, len(listed), _MOST_VALUES):
        some = listed[start : start + _MOST_VALUES]
        yield from connection.execute(f"{sql} {placeholders(some)}", (*first, *some))


def latest_change(connection: Connection) -> int:
    [(change,)] = connection.execute("SELECT value FROM meta WHERE name = 'change'").fetchall()
    return int(change)


def twin(lora: Lora) -> int | None:
    """A number that LoRAs of one creator and title share, and hardly any others."""
    creator, title = fold_name(lora.creator or ""), fold_name(lora.title)
    if not creator or not title:
        return None
    return int.from_bytes(hashlib.blake2b(f"{creator}\n{title}".encode(), digest_size=8).digest(), signed=True)
