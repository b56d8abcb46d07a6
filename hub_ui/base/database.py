"""Open SQLite files that several processes may share: migrations, transactions, and recovery from damage."""

import logging
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from connectors.errors import HubUiError

_LOG = logging.getLogger(__name__)
_BUSY_SECONDS = 15.0
_SECONDS_BETWEEN_TRIES = 0.02
# A full check of a file of this size costs about a tenth of a second. Most of our files are far smaller.
_MAX_CHECK_BYTES = 100_000_000
_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)

# A migration's connection may be any object with sqlite3's `execute` and `executemany`.
Migration = Callable[[Any], None]


def open_database(
    path: Path,
    label: str,
    migrations: Sequence[Migration],
    tables: Mapping[str, Sequence[str]],
    check: Callable[[sqlite3.Connection], object] = lambda connection: None,
) -> sqlite3.Connection:
    """Open or create a file, and run its missing migrations. Raise HubUiError if it can't be used.

    A file counts as damaged if SQLite's check fails, if one of the `tables` lacks a column, or if `check` raises
    ValueError. A damaged file is renamed, never deleted, and replaced by an empty one. `label` names the file in
    messages.
    """

    def attempt() -> sqlite3.Connection:
        connection = connect(path)
        with ExitStack() as undo:
            undo.callback(connection.close)
            with transaction(connection):
                run_migrations(connection, label, migrations)
            for table, columns in tables.items():
                connection.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 1").fetchall()
            if path.stat().st_size <= _MAX_CHECK_BYTES:
                [(verdict,)] = connection.execute("PRAGMA quick_check(1)")
                if verdict != "ok":
                    raise ValueError(verdict)
            check(connection)
            undo.pop_all()
        return connection

    with errors_as_messages(path, label):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return attempt()
        except (sqlite3.DatabaseError, ValueError) as error:
            # Replace a file that is damaged, not a database or without our tables. Keep a file that is locked,
            # read-only or on a full disk.
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF not in _DAMAGE:
                raise
            _LOG.warning("The %s %s can't be read (%s). It is kept as %s.", label, path, error, _move_aside(path))
            return attempt()


class LazyDatabase:
    """A database that the first use opens or creates (see `open_database`). It is thread-safe, with a lock.

    `is_durable`: even the last transaction survives a power cut.
    """

    def __init__(
        self,
        path: Path,
        label: str,
        migrations: Sequence[Migration],
        tables: Mapping[str, Sequence[str]],
        check: Callable[[sqlite3.Connection], object] = lambda connection: None,
        *,
        is_durable: bool = False,
    ) -> None:
        self._path = path
        self._label = label
        self._is_durable = is_durable
        self._open = partial(open_database, path, label, migrations, tables, check)
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    @property
    def exists(self) -> bool:
        return self._connection is not None or self._path.exists()

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection to one thread at a time. Raise HubUiError if the file can't be used."""
        with self._lock, errors_as_messages(self._path, self._label):
            if self._connection is None:
                self._connection = self._open()
                # Close the connection with this object, because Python 3.13 warns about an open one.
                weakref.finalize(self, self._connection.close)
                if self._is_durable:
                    self._connection.execute("PRAGMA synchronous = FULL")
            yield self._connection

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection as `use` does, within a transaction."""
        with self.use() as connection, transaction(connection):
            yield connection

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


@contextmanager
def errors_as_messages(path: Path, label: str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise HubUiError(
            f"The {label} {path.name} can't be used ({error}). Check that its folder is writable and its disk not "
            "full, or set HUB_UI_HOME to another folder."
        ) from error


def connect(path: Path) -> sqlite3.Connection:
    """Connect in write-ahead mode. The connection waits for other writers, and any thread may use it."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    until = time.monotonic() + _BUSY_SECONDS
    with ExitStack() as undo:
        undo.callback(connection.close)
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            # While another process sets the same mode, SQLite raises an error at once instead of waiting.
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_SECONDS_BETWEEN_TRIES)
        # A power cut may lose the last transactions but not damage the file. Most of our data can be fetched again.
        connection.execute("PRAGMA synchronous = NORMAL")
        undo.pop_all()
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the changes of the block, or roll them back if it raises an error."""
    connection.execute("BEGIN IMMEDIATE")
    with ExitStack() as undo:
        undo.callback(connection.execute, "ROLLBACK")
        yield
        undo.pop_all()
    connection.execute("COMMIT")


def placeholders(values: Sequence[object]) -> str:
    return f"({', '.join('?' * len(values))})"


def timestamp(at: datetime | None = None) -> str:
    return (at or datetime.now(UTC)).isoformat(timespec="seconds")


def run_migrations(connection: Any, label: str, migrations: Sequence[Migration]) -> None:
    """Run the migrations that the database lacks, in order, and record them. The caller opens the transaction."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID")
    done = {name for (name,) in connection.execute("SELECT name FROM migrations")}
    # Migration names start with a number, so they sort in order.
    if done and (latest := max(done)) > migrations[-1].__name__:
        raise HubUiError(f"The {label} was written by a newer hub-ui ({latest}). Update hub-ui to read it.")
    for step in migrations:
        if step.__name__ not in done:
            step(connection)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (step.__name__, timestamp()))


def _move_aside(path: Path) -> Path:
    """Rename a file and its write-ahead files, and return the new path."""
    name = f"{path.name}.damaged-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S')}-{uuid4().hex[:6]}"
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(path.with_name(name + suffix))
    return path.with_name(name)
