import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from connectors.errors import HubUiError
from hub_ui.base.database import LazyDatabase, connect


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
    monkeypatch.setattr("hub_ui.base.database._BUSY_SECONDS", 0.05)
    with closing(busy(tmp_path / "x.sqlite")), pytest.raises(sqlite3.OperationalError, match="locked"):
        connect(tmp_path / "x.sqlite")


def test_a_file_that_is_no_database_raises_at_once_and_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 20)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect(tmp_path / "x.sqlite")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HubUiError, match=r"can't be used .* set HUB_UI_HOME to another folder"):
        rows(lazy(tmp_path / "file" / "x.sqlite"))


def lazy(path: Path) -> LazyDatabase:
    def _m001_initial(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE t (x)")

    return LazyDatabase(path, "list of x", [_m001_initial], {"t": ("x",)})


def rows(database: LazyDatabase) -> list[tuple[int]]:
    with closing(database), database.use() as connection:
        return connection.execute("SELECT x FROM t").fetchall()


def test_a_damaged_file_is_put_aside_and_an_empty_one_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"no database at all, but longer than a page's header would be" * 20)
    assert rows(lazy(path)) == []
    assert len(list(tmp_path.glob("x.sqlite.damaged-*"))) == 1


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    rows(lazy(path))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO migrations VALUES ('_m999_future', '2030-01-01')")
    with pytest.raises(HubUiError, match="list of x was written by a newer hub-ui"):
        rows(lazy(path))
    assert list(tmp_path.glob("*damaged*")) == []
