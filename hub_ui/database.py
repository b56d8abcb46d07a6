"""SQLite files that several processes may open at once, also for the first time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

_BUSY_SECONDS = 15.0
_SECONDS_BETWEEN_TRIES = 0.02


def connect(path: Path) -> sqlite3.Connection:
    """In write-ahead mode, and waiting for others that write. Any thread may use it."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    with ExitStack() as undo:
        undo.callback(connection.close)
        _write_ahead(connection)
        # A power cut may cost the last moments, not the file: what is in ours can be found out again.
        connection.execute("PRAGMA synchronous = NORMAL")
        undo.pop_all()
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """While another process makes the same change, SQLite refuses at once instead of waiting."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_SECONDS_BETWEEN_TRIES)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Whatever fails in the block takes all of it back. The block begins the transaction itself."""
    with ExitStack() as undo:
        undo.callback(connection.execute, "ROLLBACK")
        yield
        undo.pop_all()
    connection.execute("COMMIT")


def is_damage(error: Exception) -> bool:
    """Damaged, no database, or one without our tables; but not one that is locked, read-only or on a full disk."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)


def move_aside(path: Path) -> Path:
    """Under a new name beside it, with its write-ahead files."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}-{uuid4().hex[:6]}")
    for ending in ("", "-wal", "-shm"):
        old = path.with_name(path.name + ending)
        if old.exists():
            old.rename(aside.with_name(aside.name + ending))
    return aside
