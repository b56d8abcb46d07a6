"""Catalogs of older versions."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog import schema, store
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.changes import Change, Stored, change, decode
from hub_ui.catalog.store import Store
from hub_ui.catalog.writing import key
from tests.hub_ui.catalog.builders import file, lora, titles, version


@pytest.fixture(name="opened")
def fresh_store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


def changed(one: Lora, stored: Stored | None = None) -> Change:
    found = change(one, stored)
    assert found is not None
    return found


def put(opened: Store, number: int, then: Exception | None = None, **fields: Any) -> None:
    one = lora(number, base="Pony", **fields)
    with opened.writing() as writing:
        writing.put([changed(one, writing.stored([one.ref]).get(key(one.ref)))])
        if then:
            raise then


def test_a_migration_runs_once_and_later_ones_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "catalog.sqlite").close()
    ran = []

    def _m999_later(connection: sqlite3.Connection) -> None:
        ran.append(connection.execute("SELECT name FROM migrations").fetchall())

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, _m999_later])
    for _ in range(2):
        Store(tmp_path / "catalog.sqlite").close()
    assert ran == [[(step.__name__,) for step in schema.MIGRATIONS[:-1]]]


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _m002_broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (a)")
        raise RuntimeError

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, _m002_broken])
    with pytest.raises(RuntimeError):
        Store(tmp_path / "catalog.sqlite")
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchall() == [(0,)]
    connection.close()


def test_a_transaction_that_fails_changes_nothing(either_database: Path | str) -> None:
    with closing(Store(either_database)) as opened:
        with pytest.raises(RuntimeError):
            put(opened, 1, RuntimeError())
        assert (opened.document(lora(1).ref), opened.change()) == (None, 0)


def test_changes_are_numbered_and_handed_out_from_any_of_them(opened: Store) -> None:
    for likes, number in enumerate((1, 2, 1)):
        put(opened, number, likes=likes)
    assert [(row_id, change) for row_id, change, _ in opened.rows()] == [(2, 2), (1, 3)]
    assert [row_id for row_id, _, _ in opened.rows(after=2)] == [1]


def test_more_documents_than_sqlite_takes_values_are_handed_out(opened: Store) -> None:
    put(opened, 1)
    assert {number: len(homes) for number, homes in opened.homes_of(range(2_000)).items()} == {1: 1}


def test_documents_come_by_hub_and_id_in_order_of_their_bytes(opened: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_PAGE", 2)
    ids = ("huggingface:b/x", "civitai:9", "huggingface:B/x", "civitai:10", "huggingface:a/x")
    with opened.writing() as writing:
        writing.put([changed(lora(1, ref=Ref.parse(each), title=each, versions=())) for each in ids])
    found = [decode(document).title for document in opened.documents()]
    assert found == ["civitai:10", "civitai:9", "huggingface:B/x", "huggingface:a/x", "huggingface:b/x"]


def test_what_a_hub_has_not_listed_for_long_is_named_the_longest_first(opened: Store) -> None:
    with opened.writing() as writing:
        for number, access in ((1, "open"), (2, "open"), (3, "removed"), (4, "open")):
            seen = datetime(2026, 1, 10 - number, tzinfo=UTC)
            writing.put([changed(lora(number, access=access))], seen)
    assert [ref.id for ref in opened.stale_refs("civitai", datetime(2026, 1, 9, tzinfo=UTC), 10)] == ["4", "2"]
    assert opened.stale_refs("huggingface", datetime(2026, 1, 9, tzinfo=UTC), 10) == ()
    assert len(opened.stale_refs("civitai", datetime(2027, 1, 9, tzinfo=UTC), 1)) == 1


def test_a_catalog_gets_the_column_of_a_new_filter_with_what_its_loras_say(either_database: Path | str) -> None:
    shared = (file("civitai:1@10#100", sha256="ab" * 32),)
    copies = [
        lora(number, creator=name, versions=(version(f"civitai:{number}@{number}0", files=shared),))
        for number, name in ((1, "Ada"), (2, "Bob"))
    ]
    before = Catalog(either_database, None)
    before.add([*copies, lora(3, creator="Cy", access="removed")])
    before._writer.execute("ALTER TABLE loras DROP COLUMN creators")
    before.close()
    opened = Catalog(either_database, None)
    found = [len(titles(opened, creators=(name,))) for name in ("ada", "bob", "cy", "dora")]
    assert (found, opened.stats().removed) == ([1, 1, 1, 0], 1)
    assert [row.names["creators"] for _, row, _ in opened.rows_of([copies[1].ref])] == [("bob",)]
    opened.close()
