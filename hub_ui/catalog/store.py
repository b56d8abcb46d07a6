"""Access to the tables of the catalog. Only this module, writing.py and schema.py contain SQL.

Every change of a LoRA gets the next number of `change`, so the index can read all changes after the last one it has.
Long results are read in pages by that number or by id, each with its own statement, because a long read would keep
SQLite from truncating its write-ahead log.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from connectors.errors import HubUiError
from connectors.ref import Ref
from hub_ui.base.database import timestamp
from hub_ui.catalog.changes import Stored
from hub_ui.catalog.homes import lead_order
from hub_ui.catalog.row import UNLISTED, Row, storable
from hub_ui.catalog.schema import ROW, Connection, catalog_id, dialect, row_from
from hub_ui.catalog.writing import Key, Writing, each, each_of, key, latest_change, new_columns, stored

_PAGE = 1_000
# Larger than every id, for a position after the last row of a change.
_LAST_ID = 2**62
# Prefix of the keys of states in the table `meta`.
_STATE = "state:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """A LoRA as it is stored, with its `order` on its card and the time when its hub last listed it."""

    order: tuple[bool, bool, int, int, str]
    hub: str
    hub_id: str
    document: str
    seen: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogStats:
    """Counts of a catalog. `oldest` and `newest` are times at which a hub listed a LoRA, None for an empty catalog.

    `index` is "current" if the search index has all changes.
    """

    loras: Mapping[str, int]
    versions: int
    files: int
    shared_cards: int
    removed: int
    oldest: str | None
    newest: str | None
    bytes: int
    change: int
    index: Literal["current", "behind", "none"] = "none"


class Store:
    """One open catalog. It is thread-safe, and readers don't wait for the writer."""

    def __init__(self, database: Path | str) -> None:
        """Open `database`, the path of a file or the address of a PostgreSQL database.

        A damaged file is renamed and an empty one is created. Raises HubUiError if the database can't be opened.
        """
        self._dialect = dialect(database)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False
        self._writer = self._dialect.open()
        self.catalog_id = catalog_id(self._writer)
        with self._dialect.messages():
            is_behind = bool(new_columns(self._writer))
        if is_behind:
            with self.writing() as writing:
                writing.add_columns()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._writer.close()
            self._forget_idle()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Begin a transaction, which is rolled back after an error."""
        with self._transaction() as connection:
            yield Writing(connection)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock, self._dialect.messages():
            self._check_open()
            try:
                with self._dialect.transaction(self._writer):
                    yield self._writer
            finally:
                if not self._dialect.is_open(self._writer):
                    self._forget_idle()
                    self._writer = self._dialect.connect()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._dialect.messages():
            self._check_open()
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._dialect.connect()
            try:
                yield connection
            finally:
                if self._dialect.is_open(connection):
                    self._idle.append(connection)
                else:
                    self._forget_idle()
                if self._closed:
                    self._forget_idle()

    def _forget_idle(self) -> None:
        """Close all idle connections. If the server is lost, they are lost as well and new ones must be opened."""
        while self._idle:
            self._idle.pop().close()

    def _check_open(self) -> None:
        if self._closed:
            raise HubUiError("The catalog is closed.")

    def change(self) -> int:
        """Return the number of the latest change."""
        with self._reading() as connection:
            return latest_change(connection)

    def document(self, ref: Ref) -> str | None:
        """Return the document of a LoRA by hub and id, or by version if the ref has none (CivitAI's download links)."""
        sql, values = "SELECT document FROM loras WHERE hub = ? AND hub_id = ?", key(ref)
        if not ref.id:
            sql = "SELECT document FROM loras WHERE id IN (SELECT lora FROM files WHERE hub = ? AND version = ?)"
            values = (ref.hub, storable(ref.version or ""))
        return self._value(sql, *values)

    def last_seen(self, ref: Ref) -> str | None:
        """Return the time when its hub last listed or returned the LoRA."""
        return self._value("SELECT seen FROM loras WHERE hub = ? AND hub_id = ?", *key(ref))

    def stored(self, refs: Iterable[Ref]) -> dict[Key, Stored]:
        """Return the stored entries of these LoRAs."""
        with self._reading() as connection:
            return stored(connection, refs)

    def rows_of(self, refs: Iterable[Ref], after: int = -1) -> Iterator[tuple[Ref, Row, bool]]:
        """Yield the rows of these LoRAs that changed after `after`, and whether a part of each is marked as removed."""
        named = {key(ref): ref for ref in refs}
        sql = f"""SELECT hub, hub_id, instr(document, '"removed"') > 0, {", ".join(ROW)} FROM loras
                  WHERE change > ? AND hub = ? AND hub_id IN"""
        with self._reading() as connection:
            for hub, hub_id, removed, *values in each_of(connection, sql, named.values(), after):
                yield named[hub, hub_id], row_from(values), bool(removed)

    def homes(self, ref: Ref) -> tuple[Ref, ...]:
        """Return the other LoRAs on the same card (see homes.py), the lead first."""
        with self._reading() as connection:
            found = connection.execute("SELECT lead FROM loras WHERE hub = ? AND hub_id = ?", key(ref)).fetchone()
            homes = _homes(connection, found or ()).values()
        refs = (Ref(hub=home.hub, id=home.hub_id) for home in next(iter(homes), ()))
        return tuple(home for home in refs if home != ref.lora)

    def homes_of(self, ids: Sequence[int]) -> dict[int, tuple[Home, ...]]:
        """Return the homes of the cards that these LoRAs lead, the lead first."""
        with self._reading() as connection:
            return _homes(connection, ids)

    def leads(self, ids: Sequence[int]) -> dict[int, int]:
        """Return the lead of each LoRA's card."""
        with self._reading() as connection:
            return dict(each(connection, "SELECT id, lead FROM loras WHERE id IN", ids))

    def last_listed(self, ids: Sequence[int]) -> str | None:
        """Return the oldest listing time of the cards that these LoRAs lead. A card has its homes' newest time."""
        return min((max(home.seen for home in some) for some in self.homes_of(ids).values()), default=None)

    def rows(self, *, after: int = 0) -> Iterator[tuple[int, int, Row | None]]:
        """Yield (id, change, row) for each change after `after`. The row is None if the LoRA has no card of its own."""
        sql = f"""SELECT change, id, lead = id AND nsfw < {UNLISTED}, {", ".join(ROW)} FROM loras
                  WHERE (change, id) > (?, ?) ORDER BY change, id LIMIT {_PAGE}"""
        for change, number, leads, *values in self._pages(sql, after, _LAST_ID):
            yield number, change, row_from(values) if leads else None

    def documents(self) -> Iterator[str]:
        """Yield the documents of all LoRAs, sorted by the bytes of hub and id."""
        sql = f"""SELECT hub, hub_id, document FROM loras
                  WHERE (hub, hub_id) > (?, ?) ORDER BY hub, hub_id LIMIT {_PAGE}"""
        return (document for _, _, document in self._pages(sql, "", ""))

    def _pages(self, sql: str, *last: Any) -> Iterator[tuple[Any, ...]]:
        """Yield all rows of a paged statement. Its parameters are the first two columns of the last row read."""
        while True:
            found = self._found(sql, *last)
            yield from found
            if len(found) < _PAGE:
                return
            last = found[-1][:2]

    def stale_refs(self, hub: str, since: datetime, limit: int) -> tuple[Ref, ...]:
        """Return LoRAs that their hub has not listed since `since`, the longest unseen first."""
        sql = """SELECT hub_id FROM loras WHERE hub = ? AND seen < ? AND access != 'removed'
                 ORDER BY seen, hub_id LIMIT ?"""
        found = self._found(sql, hub, timestamp(since), limit)
        return tuple(Ref(hub=hub, id=hub_id) for (hub_id,) in found)

    def by_sha256(self, sha256: str) -> tuple[Ref, ...]:
        """Return every file with this SHA-256, the first seen first."""
        return self._refs("sha256 = ?", storable(sha256.lower()))

    def by_hash(self, value: str) -> tuple[Ref, ...]:
        """Return the files with this SHA-256, AutoV2 (its first 10 digits) or AutoV3, in lower-case hex."""
        if len(value) == 64:
            return self.by_sha256(value)
        # "g" sorts after every hex digit, so this is a search by prefix.
        return self._refs("(sha256 >= ? AND sha256 < ?) OR autov3 = ?", value, f"{value}g", value)

    def _refs(self, where: str, *values: str) -> tuple[Ref, ...]:
        sql = f"""SELECT loras.hub, hub_id, version, file FROM files JOIN loras ON loras.id = files.lora
                  WHERE {where} ORDER BY files.lora, place"""
        found = self._found(sql, *values)
        return tuple(Ref(hub=hub, id=hub_id, version=version, file=file) for hub, hub_id, version, file in found)

    def twins_of(self, number: int, ref: Ref) -> list[str]:
        """Return the documents of LoRAs with this twin number (see writing.twin) that are on other cards than `ref`."""
        sql = """SELECT document FROM loras WHERE twin = ? AND lead NOT IN
                 (SELECT lead FROM loras WHERE hub = ? AND hub_id = ?) ORDER BY hub, hub_id"""
        return [document for (document,) in self._found(sql, number, *key(ref))]

    def spellings(self, folded: Sequence[str]) -> Mapping[str, str]:
        with self._reading() as connection:
            return dict(each(connection, "SELECT folded, name FROM spellings WHERE folded IN", folded))

    def facts(self, sha256: str) -> str | None:
        return self._value("SELECT facts FROM facts WHERE sha256 = ?", storable(sha256.lower()))

    def remember_facts(self, sha256: str, facts_json: str, ref: Ref | None = None) -> None:
        """Store the facts of a file. `ref` is the file on a hub that they were read from; a subclass may use it."""
        sql = """INSERT INTO facts VALUES (?, ?, ?)
                 ON CONFLICT (sha256) DO UPDATE SET facts = excluded.facts, at = excluded.at"""
        with self._transaction() as connection:
            connection.execute(sql, (storable(sha256.lower()), storable(facts_json), timestamp()))

    def state(self, key: str) -> str | None:
        """Return the text stored under this key, such as the position of a crawl."""
        return self._value("SELECT value FROM meta WHERE name = ?", storable(f"{_STATE}{key}"))

    def put_state(self, key: str, value: str) -> None:
        sql = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        with self._transaction() as connection:
            connection.execute(sql, (f"{_STATE}{storable(key)}", storable(value)))

    def _value(self, sql: str, *values: str) -> str | None:
        """Return the first column of the first row, or None without a row."""
        found = self._found(sql, *values)
        return found[0][0] if found else None

    def _found(self, sql: str, *values: Any) -> Any:
        with self._reading() as connection:
            return connection.execute(sql, values).fetchall()

    def stats(self) -> CatalogStats:
        with self._reading() as connection:

            def one(sql: str) -> Any:
                [(value,)] = connection.execute(sql).fetchall()
                return value

            hubs = connection.execute("SELECT hub, count(*) FROM loras GROUP BY hub ORDER BY hub").fetchall()
            return CatalogStats(
                loras=dict(hubs),
                versions=one("SELECT count(*) FROM (SELECT DISTINCT lora, version FROM files) AS versions"),
                files=one("SELECT count(*) FROM files WHERE name IS NOT NULL"),
                shared_cards=one("SELECT count(DISTINCT lead) FROM loras WHERE lead != id"),
                removed=one("SELECT count(*) FROM loras WHERE access = 'removed'"),
                oldest=one("SELECT min(seen) FROM loras"),
                newest=one("SELECT max(seen) FROM loras"),
                bytes=self._dialect.size(connection),
                change=latest_change(connection),
            )


def _homes(connection: Connection, leads: Sequence[int]) -> dict[int, tuple[Home, ...]]:
    found: dict[int, list[Home]] = {}
    # Use two statements, because the index `loras_home` contains only LoRAs that don't lead.
    for where in ("lead = id AND id IN", "lead != id AND lead IN"):
        sql = f"SELECT lead, id != lead, access, hub, hub_id, document, seen FROM loras WHERE {where}"
        for lead, is_other, access, hub, hub_id, document, seen in each(connection, sql, leads):
            order = (bool(is_other), *lead_order(access, hub, hub_id))
            home = Home(order=order, hub=hub, hub_id=hub_id, document=document, seen=seen)
            found.setdefault(lead, []).append(home)
    return {lead: tuple(sorted(homes, key=attrgetter("order"))) for lead, homes in found.items()}
