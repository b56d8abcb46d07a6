"""The SQLite file of the catalog. No other module of the catalog has SQL.

WAL lets other threads and processes read while one writes. Every change of a LoRA gets the next number of `change`, so
that the index can ask for what came after the last number it knows.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, get_origin
from uuid import uuid4

from connectors.errors import HubUiError
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.codec import decode
from hub_ui.catalog.row import SEPARATOR, Row, row_of, spellings, storable
from hub_ui.catalog.search import PLACES
from hub_ui.database import connect, errors_as_messages, open_database, placeholders, timestamp, transaction

_LABEL = "catalog"
_COLUMNS = tuple(field.name for field in fields(Row))
_TUPLES = tuple(field.name for field in fields(Row) if get_origin(field.type) is tuple)
_TABLES = {
    "loras": ("id", "hub", "hub_id", "document", "change", "first_seen", "seen", *_COLUMNS),
    "files": ("lora", "place", "hub", "version", "file", "name", "size", "sha256"),
    "spellings": ("folded", "name"),
    "facts": ("sha256", "facts", "at"),
}
# SQLite takes at least this many values in one statement.
_MOST_VALUES = 900


def _m001_initial(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
    connection.execute("INSERT INTO meta VALUES ('catalog', ?), ('change', 0)", (uuid4().hex,))
    connection.execute(
        """CREATE TABLE loras (
            id INTEGER PRIMARY KEY, hub_id TEXT NOT NULL, document TEXT NOT NULL, change INTEGER NOT NULL,
            first_seen TEXT NOT NULL, seen TEXT NOT NULL,
            hub TEXT NOT NULL, kind TEXT, nsfw INTEGER NOT NULL, rank INTEGER, license TEXT,
            keys TEXT NOT NULL, groups TEXT NOT NULL,
            whole TEXT NOT NULL, title TEXT NOT NULL, names TEXT NOT NULL, about TEXT NOT NULL,
            downloads INTEGER NOT NULL, likes INTEGER NOT NULL, newest INTEGER NOT NULL,
            UNIQUE (hub, hub_id))"""
    )
    connection.execute("CREATE INDEX loras_change ON loras (change)")
    connection.execute(
        """CREATE TABLE files (
            lora INTEGER NOT NULL REFERENCES loras, place INTEGER NOT NULL, hub TEXT NOT NULL, version TEXT, file TEXT,
            name TEXT, size INTEGER, sha256 TEXT, PRIMARY KEY (lora, place)) WITHOUT ROWID"""
    )
    connection.execute("CREATE INDEX files_sha256 ON files (sha256)")
    connection.execute("CREATE INDEX files_version ON files (hub, version)")
    connection.execute("CREATE TABLE spellings (folded TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID")
    connection.execute(
        "CREATE TABLE facts (sha256 TEXT PRIMARY KEY, facts TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID"
    )


def _m002_search_values(connection: sqlite3.Connection) -> None:
    """Everything that a query filters by, taken from the documents. These stand last: long ones slow down a scan."""
    connection.execute(
        """CREATE TABLE new_loras (
            id INTEGER PRIMARY KEY, hub TEXT NOT NULL, hub_id TEXT NOT NULL, change INTEGER NOT NULL,
            first_seen TEXT NOT NULL, seen TEXT NOT NULL,
            refs TEXT NOT NULL, hubs TEXT NOT NULL, kind TEXT, access TEXT NOT NULL, nsfw INTEGER NOT NULL,
            rank INTEGER, size INTEGER, license TEXT, permits TEXT NOT NULL, keys TEXT NOT NULL, groups TEXT NOT NULL,
            creators TEXT NOT NULL, tags TEXT NOT NULL, triggers TEXT NOT NULL,
            whole TEXT NOT NULL, title TEXT NOT NULL, words TEXT NOT NULL, tag_words TEXT NOT NULL,
            about TEXT NOT NULL, found TEXT NOT NULL,
            downloads INTEGER NOT NULL, likes INTEGER NOT NULL, newest INTEGER NOT NULL, merit INTEGER NOT NULL,
            document TEXT NOT NULL, UNIQUE (hub, hub_id))"""
    )
    sql = "SELECT id, hub, hub_id, change, first_seen, seen, document FROM loras WHERE id > ? ORDER BY id LIMIT 1000"
    last = -1
    while old := connection.execute(sql, (last,)).fetchall():
        last = old[-1][0]
        for *kept, document in old:
            # One that can't be read can't be found again either: it returns when its hub lists it.
            with suppress(HubUiError):
                values = (*kept, document, *_values(row_of(decode(document))))
                columns = ("id", "hub", "hub_id", "change", "first_seen", "seen", "document", *_COLUMNS)
                connection.execute(
                    f"INSERT INTO new_loras ({', '.join(columns)}) VALUES {placeholders(columns)}", values
                )
    connection.execute("DROP TABLE loras")
    connection.execute("ALTER TABLE new_loras RENAME TO loras")
    connection.execute("CREATE INDEX loras_change ON loras (change)")


# Only ever append.
MIGRATIONS = [_m001_initial, _m002_search_values]


class Store:
    """One open file. Any thread may call any method; readers don't wait for the writer."""

    def __init__(self, path: Path) -> None:
        """Raises HubUiError where no file can be made. A damaged one is moved aside and an empty one created."""
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._writer = open_database(path, _LABEL, MIGRATIONS, _TABLES, _catalog_id)
        self.catalog_id = _catalog_id(self._writer)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for connection in (*self._idle, self._writer):
                connection.close()
            self._idle.clear()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """One transaction: all of it or nothing."""
        with self._lock, errors_as_messages(self._path, _LABEL):
            self._check_open()
            with transaction(self._writer):
                yield Writing(self._writer)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with errors_as_messages(self._path, _LABEL):
            self._check_open()
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = connect(self._path)
            try:
                yield connection
            finally:
                self._idle.append(connection)
                if self._closed:
                    connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise HubUiError("The catalog is closed.")

    def change(self) -> int:
        """The number of the latest change."""
        with self._reading() as connection:
            return int(_change(connection))

    def document(self, ref: Ref) -> str | None:
        with self._reading() as connection:
            return _document(connection, ref)

    def documents(self, ids: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        with self._reading() as connection:
            for start in range(0, len(ids), _MOST_VALUES):
                some = ids[start : start + _MOST_VALUES]
                found.update(
                    connection.execute(f"SELECT id, document FROM loras WHERE id IN {placeholders(some)}", some)
                )
        return found

    def rows(self, *, after: int = 0) -> Iterator[tuple[int, int, Row]]:
        """(id, change, row) of everything changed after the change `after`."""
        sql = f"SELECT id, change, {', '.join(_COLUMNS)} FROM loras WHERE change > ? ORDER BY change, id"
        with self._reading() as connection:
            for row_id, change, *values in connection.execute(sql, (after,)):
                yield row_id, change, _row(values)

    def rows_with(self, phrases: Iterable[str]) -> Iterator[tuple[int, Row]]:
        """Rows whose searchable texts hold all the phrases (see text.phrase): a scan of the table."""
        wanted = list(phrases)
        anywhere = " OR ".join(f"instr({name}, ?)" for name in PLACES[-1].fields)
        holds = " AND ".join([f"({anywhere})"] * len(wanted)) or "1"
        sql = f"SELECT id, {', '.join(_COLUMNS)} FROM loras WHERE {holds}"
        with self._reading() as connection:
            for row_id, *values in connection.execute(sql, [phrase for phrase in wanted for _ in PLACES[-1].fields]):
                yield row_id, _row(values)

    def refs_of(self, sha256: str) -> tuple[Ref, ...]:
        sql = """SELECT loras.hub, hub_id, version, file FROM files JOIN loras ON loras.id = files.lora
                 WHERE sha256 = ? ORDER BY files.lora, place"""
        with self._reading() as connection:
            found = connection.execute(sql, (storable(sha256),)).fetchall()
        return tuple(Ref(hub=hub, id=hub_id, version=version, file=file) for hub, hub_id, version, file in found)

    def spellings(self, folded: Sequence[str]) -> Mapping[str, str]:
        some = folded[:_MOST_VALUES]
        with self._reading() as connection:
            return dict(
                connection.execute(f"SELECT folded, name FROM spellings WHERE folded IN {placeholders(some)}", some)
            )

    def facts(self, sha256: str) -> str | None:
        with self._reading() as connection:
            found = connection.execute("SELECT facts FROM facts WHERE sha256 = ?", (storable(sha256),)).fetchone()
        return found[0] if found else None


class Writing:
    """What can be done in a transaction of `Store.writing`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._change = 0

    def document(self, ref: Ref) -> str | None:
        return _document(self._connection, ref)

    def update_seen(self, ref: Ref, at: datetime | None) -> None:
        """Nothing new about it, but its hub still lists it."""
        sql = "UPDATE loras SET seen = ? WHERE hub = ? AND hub_id = ?"
        self._connection.execute(sql, (timestamp(at), ref.hub, storable(ref.id)))

    def put(self, lora: Lora, document: str, at: datetime | None = None) -> None:
        """`document` is the LoRA as text (see codec.py); its searchable values are taken from the LoRA."""
        if not self._change:
            # One number for all of a transaction, taken when something really changes.
            self._connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'change'")
            self._change = _change(self._connection)
        columns = ("hub", "hub_id", "document", "change", "first_seen", "seen", *_COLUMNS)
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "first_seen")
        [(lora_id,)] = self._connection.execute(
            f"""INSERT INTO loras ({", ".join(columns)}) VALUES {placeholders(columns)}
                ON CONFLICT (hub, hub_id) DO UPDATE SET {updates} RETURNING id""",
            (
                lora.hub,
                storable(lora.ref.id),
                document,
                self._change,
                timestamp(at),
                timestamp(at),
                *_values(row_of(lora)),
            ),
        ).fetchall()
        self._connection.executemany("INSERT OR IGNORE INTO spellings VALUES (?, ?)", spellings(lora).items())
        self._connection.execute("DELETE FROM files WHERE lora = ?", (lora_id,))
        self._connection.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(lora_id, place, lora.hub, *values) for place, values in enumerate(_file_rows(lora))],
        )

    def put_facts(self, sha256: str, facts: str) -> None:
        values = (storable(sha256), storable(facts), timestamp())
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", values)


def _catalog_id(connection: sqlite3.Connection) -> str:
    """Raises ValueError for a catalog without one."""
    [(catalog_id,)] = connection.execute("SELECT value FROM meta WHERE name = 'catalog'")
    return str(catalog_id)


def _change(connection: sqlite3.Connection) -> int:
    [(change,)] = connection.execute("SELECT value FROM meta WHERE name = 'change'")
    return int(change)


def _document(connection: sqlite3.Connection, ref: Ref) -> str | None:
    """By hub and id; by version where only that is known, as in CivitAI's download links."""
    sql, key = "SELECT document FROM loras WHERE hub = ? AND hub_id = ?", (ref.hub, storable(ref.id))
    if not ref.id:
        sql = "SELECT document FROM loras WHERE id IN (SELECT lora FROM files WHERE hub = ? AND version = ?)"
        key = (ref.hub, storable(ref.version or ""))
    found = connection.execute(sql, key).fetchone()
    return found[0] if found else None


def _file_rows(lora: Lora) -> Iterator[tuple[Any, ...]]:
    """A version without files still has a row: it is what a ref of the version finds the LoRA by."""

    def text(value: str | None) -> str | None:
        return storable(value) if value else None

    for version in lora.versions:
        if not version.files:
            yield text(version.ref.version), None, None, None, None
        for file in version.files:
            size = min(file.size, 2**63 - 1) if file.size is not None else None
            sha256 = file.sha256.lower() if file.sha256 else None
            yield text(file.ref.version), text(file.ref.file), storable(file.name), size, text(sha256)


def _values(row: Row) -> Iterator[Any]:
    """Its columns."""
    values = (getattr(row, name) for name in _COLUMNS)
    return (SEPARATOR.join(value) if isinstance(value, tuple) else value for value in values)


def _row(values: Sequence[Any]) -> Row:
    columns = dict(zip(_COLUMNS, values, strict=True))
    for name in _TUPLES:
        columns[name] = tuple(columns[name].split(SEPARATOR)) if columns[name] else ()
    return Row(**columns)
