"""One transaction of the catalog: it writes LoRAs in batches and updates their cards."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.errors import HubUiError
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.base.database import placeholders, timestamp
from hub_ui.catalog.changes import Change, Stored, decode, read
from hub_ui.catalog.homes import Sharer, candidates, card, card_row, lead_order, page_of
from hub_ui.catalog.row import Row, bases_of, fold_name, row_of, storable
from hub_ui.catalog.schema import FILTER_COLUMNS, ROW, Connection, columns_of, file_values

# The database key of a LoRA: hub and id.
Key = tuple[str, str]
# Every SQLite version accepts this many values in one statement.
_MOST_VALUES = 900
_WRITTEN = ("change", "seen", "twin", *ROW, "document")
_INSERT = f"""INSERT INTO loras (id, hub, hub_id, lead, first_seen, {", ".join(_WRITTEN)})
              VALUES {placeholders(("id", "hub", "hub_id", "lead", "first_seen", *_WRITTEN))}"""
_UPDATE = f"UPDATE loras SET {', '.join(f'{name} = ?' for name in _WRITTEN)} WHERE id = ?"
_INSERT_FILE = f"INSERT INTO files VALUES {placeholders(range(9))}"
# The id of a file (see homes.py).
_KNOWN_BY = """coalesce(sha256, (
    SELECT CASE count(DISTINCT same.sha256) WHEN 0 THEN files.autov3 WHEN 1 THEN max(same.sha256) END
    FROM files AS same WHERE same.autov3 = files.autov3))"""


class Writing:
    """The changes that a transaction of `Store.writing` can make."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._number = 0

    def stored(self, refs: Iterable[Ref]) -> dict[Key, Stored]:
        return stored(self._connection, refs)

    def update_seen(self, ids: Iterable[int], at: datetime | None = None) -> None:
        """Record that the hub still lists these LoRAs, which have not changed."""
        time = timestamp(at)
        self._connection.executemany("UPDATE loras SET seen = ? WHERE id = ?", [(time, number) for number in ids])

    def put(self, changes: Sequence[Change], at: datetime | None = None) -> None:
        """Write the changes, with each LoRA at most once, and update their cards."""
        if not changes:
            return
        time, number = timestamp(at), self._next_number()
        [(last,)] = self._connection.execute("SELECT coalesce(max(id), 0) FROM loras").fetchall()
        new, old, files, refiled, rows = [], [], [], dict[int, Lora](), {}
        for change in changes:
            stored, lora = change.stored, change.lora
            listed = time if at is None or stored is None else max(time, stored.seen)
            values = (number, listed, twin(lora), *columns_of(change.row).values(), change.document)
            if stored is None:
                last += 1
                new.append((last, *key(lora.ref), last, time, *values))
            else:
                old.append((*values, stored.id))
            lora_id = stored.id if stored else last
            rows[lora_id] = change.row
            new_files, before = file_values(lora), change.known
            if before is None or new_files != file_values(before) or page_of(lora) != page_of(before):
                refiled[lora_id] = lora
                files += [(lora_id, place, *columns) for place, columns in enumerate(new_files)]
        updated = {values[-1] for values in old}
        changed = updated.intersection(refiled)
        # LoRAs that shared a file with them before.
        touched = _Sharers(self._connection).near(changed)
        for name in ("files", "links"):
            self._connection.executemany(f"DELETE FROM {name} WHERE lora = ?", [(one,) for one in changed])
        self._connection.executemany(_INSERT, new)
        self._connection.executemany(_UPDATE, old)
        self._connection.executemany(_INSERT_FILE, files)
        pages = [(one, page) for one, lora in refiled.items() if (page := page_of(lora)) is not None]
        self._connection.executemany("INSERT INTO links VALUES (?, ?, ?)", [(one, *key(page)) for one, page in pages])
        # The first spelling seen is kept.
        names = {folded: name for change in reversed(changes) for folded, name in change.names.items()}
        self._connection.executemany("INSERT INTO spellings VALUES (?, ?) ON CONFLICT DO NOTHING", [*names.items()])
        self._join(refiled, touched, updated, rows)

    def _join(
        self, refiled: Iterable[int], touched: Iterable[int], written: Collection[int], rows: Mapping[int, Row]
    ) -> None:
        """Update the cards of LoRAs whose files changed, and the cards of LoRAs that shared a file with them.

        `written` are LoRAs whose own row was just written in place of their card's row. `rows` has own rows that are
        known already.
        """
        sharers = _Sharers(self._connection)
        linked = {end for pair in sharers.links(written) for end in pair}
        near = sharers.near({*refiled, *linked}).union(touched, self._on_cards(written))
        if not near:
            return
        cards: dict[int, frozenset[int]] = {}
        more = near
        while more:
            sharers.load(more)
            for number in more:
                if number not in cards:
                    members = card(number, sharers)
                    cards.update(dict.fromkeys(members, members))
            more = self._on_cards(near).union(cards) - near
            near |= more
        before, order = self._homes(near)
        first = {members: min(members, key=order.__getitem__) for members in set(cards.values())}
        leads = {number: first[members] for number, members in cards.items()}
        moved = {number for number in near if before[number] != leads[number]}
        change = self._next_number()
        sql = "UPDATE loras SET lead = ?, change = ? WHERE id = ?"
        self._connection.executemany(sql, [(leads[one], change, one) for one in moved])
        # Include the cards that they left.
        changed = {leads[one] for one in moved.union(near.intersection(written))}
        changed |= {leads[before[one]] for one in moved}
        ordered = {lead: sorted(cards[lead], key=order.__getitem__) for lead in sorted(changed)}
        self._write_cards(ordered, rows)

    def add_columns(self) -> None:
        """Add and fill the columns of new filters. Columns of filters that were removed are kept."""
        names = new_columns(self._connection)
        for name in names:
            self._connection.execute(f"ALTER TABLE loras ADD COLUMN {name} {FILTER_COLUMNS[name]}")
        sql, last = f"SELECT id FROM loras WHERE lead = id AND id > ? ORDER BY id LIMIT {_MOST_VALUES}", -1
        while leads := [number for (number,) in self._connection.execute(sql, (last,)).fetchall()]:
            last = leads[-1]
            lead_of, order = self._homes({*leads, *self._on_cards(leads)})
            cards: dict[int, list[int]] = {}
            for number in sorted(order, key=order.__getitem__):
                cards.setdefault(lead_of[number], []).append(number)
            # Fill copies that don't lead as well, because a library shows the rows of its own LoRAs.
            others = {number: [number] for number, lead in lead_of.items() if number != lead}
            self._write_cards({**cards, **others}, {}, names)

    def _write_cards(
        self, cards: Mapping[int, Sequence[int]], known: Mapping[int, Row], columns: Sequence[str] = ROW
    ) -> None:
        """Write the rows of cards. `cards` has their members in order, the lead first.

        Documents are read for all members that are not in `known`.
        """
        members = {member for members in cards.values() for member in members}
        rows = {number: known[number] for number in members.intersection(known)}
        for number, found, document in each(
            self._connection, "SELECT id, found, document FROM loras WHERE id IN", members - rows.keys()
        ):
            # Skip an unreadable document: adding its LoRA again will replace it.
            with suppress(HubUiError):
                rows[number] = replace(row_of(decode(document)), found=found)
        homes = {lead: [rows[one] for one in members if one in rows] for lead, members in cards.items()}
        change = self._next_number()
        sql = f"UPDATE loras SET change = ?, {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?"
        values = []
        for lead, home_rows in homes.items():
            if home_rows:
                row = columns_of(card_row(home_rows))
                values.append((change, *(row[name] for name in columns), lead))
        self._connection.executemany(sql, values)

    def _on_cards(self, ids: Iterable[int]) -> set[int]:
        """Return all LoRAs that share a card with one of `ids`."""
        leads = {lead for (lead,) in each(self._connection, "SELECT lead FROM loras WHERE lead != id AND id IN", ids)}
        sql = "SELECT id, lead FROM loras WHERE lead != id AND lead IN"
        return {number for pair in each(self._connection, sql, leads | {*ids}) for number in pair}

    def _homes(self, ids: Iterable[int]) -> tuple[dict[int, int], dict[int, tuple[bool, int, int, str]]]:
        """Return the lead of each LoRA, and its order on a card."""
        found = list(each(self._connection, "SELECT id, lead, access, hub, hub_id FROM loras WHERE id IN", ids))
        return {one: lead for one, lead, *_ in found}, {one: lead_order(*rest) for one, _, *rest in found}

    def _next_number(self) -> int:
        """Return the change number of this transaction, which is assigned at its first real change."""
        if not self._number:
            sql = "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'change'"
            self._connection.execute(sql)
            self._number = latest_change(self._connection)
        return self._number


class _Sharers:
    """The graph of homes.py, loaded as far as it is used."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loras: dict[int, Sharer] = {}
        self._holders: dict[str, frozenset[int]] = {}

    def __getitem__(self, number: int) -> Sharer:
        if number not in self._loras:
            self.load([number])
        return self._loras[number]

    def holders(self, file: str) -> frozenset[int]:
        if file not in self._holders:
            self._load_holders({file})
        return self._holders[file]

    def near(self, ids: Iterable[int]) -> set[int]:
        """Return the LoRAs that share a file or a link with others, and all whose card may change with their files."""
        ids = self._with_others(set(ids))
        self.load(ids)
        tensors = {each for number in ids for each in self[number].tensors}
        sql = "SELECT lora FROM files WHERE sha256 IS NULL AND autov3 IN"
        # The ids of these files depend on the SHA-256 of the given LoRAs' files.
        found = {number for (number,) in each(self._connection, sql, tensors)}
        changed = found.union(ids)
        self.load(changed)
        for number in changed:
            others = candidates(self[number], self) - {number}
            found |= {number, *others} if others else others
        return found

    def _with_others(self, ids: set[int]) -> set[int]:
        """Return the LoRAs that share a hash or a link with another one. Only their cards can change."""
        same = "EXISTS (SELECT 1 FROM files AS others WHERE others.{0} = files.{0} AND others.lora != files.lora)"
        sql = f"SELECT lora FROM files WHERE ({same.format('sha256')} OR {same.format('autov3')}) AND lora IN"
        linked = {end for pair in self.links(ids) for end in pair}
        return ids.intersection(linked.union(number for (number,) in each(self._connection, sql, ids)))

    def links(self, ids: Collection[int]) -> set[tuple[int, int]]:
        """Return the pairs of (linker, linked page) that contain any of `ids`."""
        joined = (
            "SELECT links.lora, loras.id FROM links JOIN loras ON loras.hub = links.hub AND loras.hub_id = links.hub_id"
        )
        wheres = ("links.lora IN", "loras.id IN")
        return {pair for where in wheres for pair in each(self._connection, f"{joined} WHERE {where}", ids)}

    def load(self, ids: Iterable[int]) -> None:
        """Load these LoRAs and the holders of their files."""
        new = {number for number in ids if number not in self._loras}
        versions: dict[int, dict[str | None, set[str]]] = {number: {} for number in new}
        tensors: dict[int, set[str]] = {number: set() for number in new}
        sql = f"SELECT lora, version, {_KNOWN_BY}, autov3 FROM files WHERE lora IN"
        for number, version, file, autov3 in each(self._connection, sql, new):
            versions[number].setdefault(version, set()).update([file] if file else [])
            tensors[number].update([autov3] if autov3 else [])
        links = self.links(new)
        linked = new.intersection(end for pair in links for end in pair)
        # A lead's row describes its whole card, so only the document has the LoRA's own architectures.
        documents = dict(each(self._connection, "SELECT id, document FROM loras WHERE id IN", linked))
        for number, hub in each(self._connection, "SELECT id, hub FROM loras WHERE id IN", new):
            lora = read(documents[number]) if number in documents else None
            bases = (base for base, _, _ in bases_of(lora)) if lora else ()
            self._loras[number] = Sharer(
                hub=hub,
                versions=tuple(frozenset(files) for files in versions[number].values() if files),
                tensors=frozenset(tensors[number]),
                pages=frozenset(page for linker, page in links if linker == number),
                linkers=frozenset(linker for linker, page in links if page == number),
                architectures=frozenset(name for base in bases for name in base.architectures),
            )
        self._load_holders({file for number in new for file in self._loras[number].files})

    def _load_holders(self, files: Iterable[str]) -> None:
        new = {file for file in files if file not in self._holders}
        found: dict[str, set[int]] = {file: set() for file in new}
        for file, number in each(self._connection, "SELECT sha256, lora FROM files WHERE sha256 IN", new):
            found[file].add(number)
        sql = "SELECT DISTINCT autov3 FROM files WHERE autov3 IS NOT NULL AND sha256 IN"
        tensors = {autov3 for (autov3,) in each(self._connection, sql, new)}
        sql = f"SELECT {_KNOWN_BY}, lora FROM files WHERE sha256 IS NULL AND autov3 IN"
        for file, number in each(self._connection, sql, new | tensors):
            if file in found:
                found[file].add(number)
        self._holders.update((file, frozenset(numbers)) for file, numbers in found.items())


def stored(connection: Connection, refs: Iterable[Ref]) -> dict[Key, Stored]:
    """Return the stored entries of these LoRAs."""
    sql = "SELECT hub, hub_id, id, found, seen, document FROM loras WHERE hub = ? AND hub_id IN"
    return {
        (hub, hub_id): Stored(id=number, found=words, seen=seen, document=document)
        for hub, hub_id, number, words, seen, document in each_of(connection, sql, refs)
    }


def key(ref: Ref) -> Key:
    """Return the database key of a LoRA."""
    return ref.hub, storable(ref.id)


def each(connection: Connection, sql: str, values: Iterable[object], *first: object) -> Iterator[Any]:
    """Yield the rows of a statement that ends with IN, for any number of values after the values `first`."""
    listed = list(values)
    for start in range(0, len(listed), _MOST_VALUES):
        some = listed[start : start + _MOST_VALUES]
        yield from connection.execute(f"{sql} {placeholders(some)}", (*first, *some))


def each_of(connection: Connection, sql: str, refs: Iterable[Ref], *first: object) -> Iterator[Any]:
    """Yield the rows of a statement that ends with "hub = ? AND hub_id IN". `first` are the values before these."""
    by_hub: dict[str, dict[str, None]] = {}
    for hub, hub_id in map(key, refs):
        by_hub.setdefault(hub, {})[hub_id] = None
    for hub, ids in by_hub.items():
        yield from each(connection, sql, ids, *first, hub)


def new_columns(connection: Connection) -> list[str]:
    """Return the columns of filters that the table does not have."""
    present = {name for name, *_ in connection.execute("SELECT * FROM loras LIMIT 0").description}
    return [name for name in FILTER_COLUMNS if name not in present]


def latest_change(connection: Connection) -> int:
    [(change,)] = connection.execute("SELECT value FROM meta WHERE name = 'change'").fetchall()
    return int(change)


def twin(lora: Lora) -> int | None:
    """Return a 64-bit hash that LoRAs of the same creator and title share. Return None without creator or title."""
    creator, title = fold_name(lora.creator or ""), fold_name(lora.title)
    if not creator or not title:
        return None
    return int.from_bytes(hashlib.blake2b(f"{creator}\n{title}".encode(), digest_size=8).digest(), signed=True)
