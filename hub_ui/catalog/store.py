"""The SQLite file: the truth of the catalog, and the only module that holds SQL.

WAL lets other threads and processes read while one writes. Every change of a LoRA gets the next number of `change`, so
that the index can ask for what came after the last number it knows.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from connectors.errors import HubUiError
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.row import SEPARATOR, Row, storable
from hub_ui.database import connect, is_damage, move_aside, transaction

_LOG = logging.getLogger(__name__)
# Reading all of a file of this size takes about a tenth of a second. Most catalogs are far smaller.
_MOST_CHECKED_BYTES = 100_000_000
_COLUMNS = tuple(field.name for field in fields(Row))
_LISTS = ("keys", "groups")
_TABLES = {
    "loras": ("id", "hub_id", "document", "change", "first_seen", "seen", *_COLUMNS),
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


# Each runs once, in order, in the transaction that also records it. Only ever append.
MIGRATIONS = [_m001_initial]


def migrate(connection: sqlite3.Connection) -> None:
    """Raises HubUiError for a file that a newer hub-ui has migrated further than we know."""
    connection.execute("BEGIN IMMEDIATE")
    with transaction(connection):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID"
        )
        done = {name for (name,) in connection.execute("SELECT name FROM migrations")}
        if unknown := done - {step.__name__ for step in MIGRATIONS}:
            raise HubUiError(f"The catalog was written by a newer hub-ui ({min(unknown)}). Update hub-ui to read it.")
        for step in MIGRATIONS:
            if step.__name__ not in done:
                step(connection)
                connection.execute("INSERT INTO migrations VALUES (?, ?)", (step.__name__, _iso(None)))


class Store:
    """One open file. Any thread may call any method; readers don't wait for the writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._writer = connect(path)
        with ExitStack() as undo:
            undo.callback(self._writer.close)
            migrate(self._writer)
            _check(self._writer, path)
            [(self.catalog_id,)] = self._writer.execute("SELECT value FROM meta WHERE name = 'catalog'")
            undo.pop_all()

    @classmethod
    def open(cls, path: Path) -> Self:
        """A file that is damaged or not ours is moved aside, never deleted, and an empty one takes its place."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return cls._open(path)
        except (OSError, sqlite3.Error) as error:
            raise _cannot_use(path, error) from error

    @classmethod
    def _open(cls, path: Path) -> Self:
        try:
            return cls(path)
        except (sqlite3.DatabaseError, ValueError) as error:
            if not is_damage(error):
                raise
            _LOG.warning("The catalog %s can't be read (%s). It is kept as %s.", path, error, move_aside(path))
        return cls(path)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for connection in (*self._idle, self._writer):
                connection.close()
            self._idle.clear()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """One transaction: all of it or nothing."""
        with self._lock, _told(self._path):
            self._check_open()
            self._writer.execute("BEGIN IMMEDIATE")
            with transaction(self._writer):
                yield Writing(self._writer)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _told(self._path):
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
                found.update(connection.execute(f"SELECT id, document FROM loras WHERE id IN {_marks(some)}", some))
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
        holds = " AND ".join(["(instr(title, ?) OR instr(names, ?) OR instr(about, ?))"] * len(wanted)) or "1"
        sql = f"SELECT id, {', '.join(_COLUMNS)} FROM loras WHERE {holds}"
        with self._reading() as connection:
            for row_id, *values in connection.execute(sql, [phrase for phrase in wanted for _ in range(3)]):
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
            return dict(connection.execute(f"SELECT folded, name FROM spellings WHERE folded IN {_marks(some)}", some))

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

    def seen(self, ref: Ref, at: datetime | None) -> None:
        """Nothing new about it, but its hub still lists it."""
        sql = "UPDATE loras SET seen = ? WHERE hub = ? AND hub_id = ?"
        self._connection.execute(sql, (_iso(at), ref.hub, storable(ref.id)))

    def put(self, lora: Lora, document: str, row: Row, spellings: Mapping[str, str], at: datetime | None) -> None:
        columns = ("hub_id", "document", "change", "first_seen", "seen", *_COLUMNS)
        kept = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "first_seen")
        values = (storable(lora.ref.id), document, self._next_change(), _iso(at), _iso(at), *_values(row))
        self._connection.execute(
            f"""INSERT INTO loras ({", ".join(columns)}) VALUES {_marks(columns)}
                ON CONFLICT (hub, hub_id) DO UPDATE SET {kept}""",
            values,
        )
        self._connection.executemany("INSERT OR IGNORE INTO spellings VALUES (?, ?)", spellings.items())
        self._put_files(lora)

    def put_facts(self, sha256: str, facts: str) -> None:
        values = (storable(sha256), storable(facts), _iso(None))
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", values)

    def _put_files(self, lora: Lora) -> None:
        key = (lora.hub, storable(lora.ref.id))
        [(lora_id,)] = self._connection.execute("SELECT id FROM loras WHERE hub = ? AND hub_id = ?", key)
        self._connection.execute("DELETE FROM files WHERE lora = ?", (lora_id,))
        self._connection.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(lora_id, place, lora.hub, *rest) for place, rest in enumerate(_file_rows(lora))],
        )

    def _next_change(self) -> int:
        """One number for all of a transaction, taken when something really changes."""
        if not self._change:
            self._connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'change'")
            self._change = _change(self._connection)
        return self._change


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises sqlite3.DatabaseError or ValueError for damage, now rather than in the middle of a search."""
    for table, columns in _TABLES.items():
        connection.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 1").fetchall()
    if path.stat().st_size <= _MOST_CHECKED_BYTES:
        [(verdict,)] = connection.execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise ValueError(verdict)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _cannot_use(path, error) from error


def _cannot_use(path: Path, error: Exception) -> HubUiError:
    return HubUiError(
        f"The catalog {path.name} can't be used ({error}). Check that its folder is writable and its disk not full, "
        "or set HUB_UI_HOME to another folder."
    )


def _document(connection: sqlite3.Connection, ref: Ref) -> str | None:
    """By hub and id; by version where only that is known, as in CivitAI's download links."""
    sql, key = "SELECT document FROM loras WHERE hub = ? AND hub_id = ?", (ref.hub, storable(ref.id))
    if not ref.id:
        sql = "SELECT document FROM loras WHERE id IN (SELECT lora FROM files WHERE hub = ? AND version = ?)"
        key = (ref.hub, storable(ref.version or ""))
    found = connection.execute(sql, key).fetchone()
    return found[0] if found else None


def _change(connection: sqlite3.Connection) -> int:
    [(change,)] = connection.execute("SELECT value FROM meta WHERE name = 'change'")
    return int(change)


def _file_rows(lora: Lora) -> Iterator[tuple[Any, ...]]:
    """A version without files still has a row: it is what a ref of the version finds the LoRA by."""
    for version in lora.versions:
        if not version.files:
            yield _text(version.ref.version), None, None, None, None
        for file in version.files:
            sha256 = file.sha256.lower() if file.sha256 else None
            size = min(file.size, 2**63 - 1) if file.size is not None else None
            yield _text(file.ref.version), _text(file.ref.file), storable(file.name), size, _text(sha256)


def _text(value: str | None) -> str | None:
    return storable(value) if value else None


def _values(row: Row) -> list[Any]:
    values = [getattr(row, name) for name in _COLUMNS]
    return [SEPARATOR.join(value) if isinstance(value, tuple) else value for value in values]


def _row(values: Sequence[Any]) -> Row:
    kept = dict(zip(_COLUMNS, values, strict=True))
    return Row(**kept | {name: tuple(filter(None, kept[name].split(SEPARATOR))) for name in _LISTS})


def _marks(values: Sequence[object]) -> str:
    return f"({', '.join('?' * len(values))})"


def _iso(at: datetime | None) -> str:
    return (at or datetime.now(UTC)).isoformat(timespec="seconds")
