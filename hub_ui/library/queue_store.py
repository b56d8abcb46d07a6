"""The queue's SQLite file: which refs are wanted and how far each is. The only module of the queue that holds SQL.

Several processes may have it open. Every change is one statement that says which states it may start from, so two
that come at once can't undo each other.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from connectors.errors import HubUiError
from hub_ui.database import connect, is_damage, move_aside, transaction

_LOG = logging.getLogger(__name__)

# "cancelled": the person wants it no more, and its part has not been dropped yet.
State = Literal["waiting", "running", "paused", "failed", "done", "cancelled"]
ANY: tuple[State, ...] = ("waiting", "running", "paused", "failed", "done", "cancelled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`best` is the furthest the bytes ever came. `not_before` is a time in seconds since 1970; 0 for at once."""

    id: int
    ref: str
    title: str
    state: State
    done: int
    total: int | None
    best: int
    error_name: str | None
    error_message: str | None
    attempts: int
    not_before: float


_COLUMNS = tuple(field.name for field in fields(Row))
_FRESH: dict[str, Any] = {
    "error_name": None,
    "error_message": None,
    "attempts": 0,
    "not_before": 0.0,
    "best": 0,
}


def _m001_initial(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE tasks (
            id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, title TEXT NOT NULL, state TEXT NOT NULL,
            done INTEGER NOT NULL DEFAULT 0, total INTEGER, best INTEGER NOT NULL DEFAULT 0,
            error_name TEXT, error_message TEXT,
            attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0)"""
    )
    connection.execute("CREATE INDEX tasks_state ON tasks (state)")


# Each runs once, in order, in the transaction that also records it. Only ever append.
MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [_m001_initial]


class QueueStore:
    """One open file. Any thread may call any method."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = connect(path)
        with ExitStack() as undo:
            undo.callback(self._connection.close)
            _migrate(self._connection)
            self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM tasks LIMIT 1").fetchall()
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
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _LOG.warning("The queue %s can't be read (%s). It is kept as %s.", path, error, move_aside(path))
        return cls(path)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def add(self, ref: str, title: str) -> Row:
        """A ref has one row: one that rests goes on, and one that waits or runs is left alone."""
        sql = f"""INSERT INTO tasks (ref, title, state) VALUES (?, ?, 'waiting')
                  ON CONFLICT (ref) DO UPDATE SET state = 'waiting', {_assignments(_FRESH)}
                  WHERE state NOT IN ('waiting', 'running')"""
        with self._transaction() as connection:
            connection.execute(sql, (ref, title, *_FRESH.values()))
            [row] = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM tasks WHERE ref = ?", (ref,))
        return _row(row)

    def rows(self, states: Sequence[State] = ANY) -> tuple[Row, ...]:
        """In the order in which they were first wanted."""
        sql = f"SELECT {', '.join(_COLUMNS)} FROM tasks WHERE state IN {_marks(states)} ORDER BY id"
        with self._reading() as connection:
            return tuple(_row(row) for row in connection.execute(sql, tuple(states)))

    def row(self, id_: int) -> Row | None:
        with self._reading() as connection:
            found = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM tasks WHERE id = ?", (id_,)).fetchone()
        return _row(found) if found else None

    def move(self, id_: int, to: State, *, only_from: Sequence[State], fresh: bool = False, **changes: Any) -> bool:
        """False where the row is gone, or in another state by now. `fresh` forgets earlier failures."""
        changed = {"state": to, **(_FRESH if fresh else {}), **changes}
        sql = f"UPDATE tasks SET {_assignments(changed)} WHERE id = ? AND state IN {_marks(only_from)}"
        with self._transaction() as connection:
            return connection.execute(sql, (*changed.values(), id_, *only_from)).rowcount > 0

    def progress(self, id_: int, done: int, total: int | None) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE tasks SET done = ?, total = ? WHERE id = ?", (done, total, id_))

    def waiting_again(self) -> None:
        """Whoever ran them is no more."""
        with self._transaction() as connection:
            connection.execute("UPDATE tasks SET state = 'waiting' WHERE state = 'running'")

    def delete(self, id_: int, *, only_from: Sequence[State]) -> bool:
        sql = f"DELETE FROM tasks WHERE id = ? AND state IN {_marks(only_from)}"
        with self._transaction() as connection:
            return connection.execute(sql, (id_, *only_from)).rowcount > 0

    def prune(self, state: State, most: int) -> None:
        """Of those in that state, only the last are still told."""
        sql = """DELETE FROM tasks WHERE state = ? AND id NOT IN
                 (SELECT id FROM tasks WHERE state = ? ORDER BY id DESC LIMIT ?)"""
        with self._transaction() as connection:
            connection.execute(sql, (state, state, most))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with transaction(connection):
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise _cannot_use(self._path, error) from error


def _migrate(connection: sqlite3.Connection) -> None:
    """Raises HubUiError for a file that a newer hub-ui has migrated further than we know."""
    connection.execute("BEGIN IMMEDIATE")
    with transaction(connection):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID"
        )
        done = {name for (name,) in connection.execute("SELECT name FROM migrations")}
        if unknown := done - {step.__name__ for step in MIGRATIONS}:
            raise HubUiError(f"The queue was written by a newer hub-ui ({min(unknown)}). Update hub-ui to go on.")
        for step in MIGRATIONS:
            if step.__name__ not in done:
                step(connection)
                at = datetime.now(UTC).isoformat(timespec="seconds")
                connection.execute("INSERT INTO migrations VALUES (?, ?)", (step.__name__, at))


def _cannot_use(path: Path, error: Exception) -> HubUiError:
    return HubUiError(
        f"The list of downloads, {path.name}, can't be used ({error}). Check that its folder is writable and its disk "
        "not full, or set HUB_UI_HOME to another folder."
    )


def _row(values: Sequence[Any]) -> Row:
    return Row(**dict(zip(_COLUMNS, values, strict=True)))


def _assignments(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)


def _marks(values: Sequence[object]) -> str:
    return f"({', '.join('?' * len(values))})"
