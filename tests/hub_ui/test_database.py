from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hub_ui.database import connect


def busy(path: Path) -> sqlite3.Connection:
    """Another process in the middle of making the file."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_file_that_another_makes_at_the_same_time_is_waited_for(tmp_path: Path) -> None:
    with closing(busy(tmp_path / "x.sqlite")) as other:
        threading.Timer(0.1, other.rollback).start()
        with closing(connect(tmp_path / "x.sqlite")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_a_busy_file_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.database._BUSY_SECONDS", 0.05)
    with closing(busy(tmp_path / "x.sqlite")), pytest.raises(sqlite3.OperationalError, match="locked"):
        connect(tmp_path / "x.sqlite")


def test_a_file_that_is_no_database_raises_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 20)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect(tmp_path / "x.sqlite")
