"""SQLite files that several processes may open at once, also for the first time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path

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
