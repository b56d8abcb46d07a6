from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from connectors.errors import HubUiError
from hub_ui.library.queue_store import QueueStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


def test_a_row_is_there_after_opening_again(path: Path) -> None:
    first = QueueStore(path)
    first.add("civitai:1", "Ink lines")
    first.close()
    again = QueueStore(path)
    assert [(row.ref, row.title, row.state) for row in again.rows()] == [("civitai:1", "Ink lines", "waiting")]
    again.close()


def test_adding_a_ref_that_runs_changes_nothing(path: Path) -> None:
    store = QueueStore(path)
    row = store.add("civitai:1", "Ink lines")
    store.move(row.id, "running", only_from=("waiting",))
    assert store.add("civitai:1", "Ink lines").state == "running"
    store.close()


def test_adding_a_ref_that_failed_starts_it_afresh(path: Path) -> None:
    store = QueueStore(path)
    row = store.add("civitai:1", "Ink lines")
    store.move(row.id, "failed", only_from=("waiting",), attempts=5, error_name="NotFound", error_message="Gone.")
    again = store.add("civitai:1", "Ink lines")
    assert (again.id, again.state, again.attempts, again.error_name) == (row.id, "waiting", 0, None)
    store.close()


def test_a_move_from_another_state_does_nothing(path: Path) -> None:
    store = QueueStore(path)
    row = store.add("civitai:1", "Ink lines")
    assert not store.move(row.id, "done", only_from=("running",))
    assert store.rows()[0].state == "waiting"
    store.close()


def test_what_ran_waits_again(path: Path) -> None:
    store = QueueStore(path)
    store.move(store.add("civitai:1", "").id, "running", only_from=("waiting",))
    store.waiting_again()
    assert [row.state for row in store.rows(("waiting",))] == ["waiting"]
    store.close()


def test_only_the_last_of_those_that_are_done_are_kept(path: Path) -> None:
    store = QueueStore(path)
    for number in range(4):
        store.move(store.add(f"civitai:{number}", "").id, "done", only_from=("waiting",))
    store.add("civitai:9", "")
    store.prune("done", 2)
    assert [row.ref for row in store.rows()] == ["civitai:2", "civitai:3", "civitai:9"]
    store.close()


def test_a_damaged_file_is_put_aside_and_an_empty_one_takes_its_place(path: Path) -> None:
    path.write_bytes(b"no database at all, but longer than a page's header would be" * 20)
    store = QueueStore(path)
    assert store.rows() == ()
    assert len(list(path.parent.glob("queue.sqlite.damaged-*"))) == 1
    store.close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    QueueStore(path).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT INTO migrations VALUES ('_m999_future', '2030-01-01')")
    connection.close()
    with pytest.raises(HubUiError, match="written by a newer hub-ui"):
        QueueStore(path)
    assert list(path.parent.glob("*damaged*")) == []
