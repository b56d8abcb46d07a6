"""Catalogs of older versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hub_ui.catalog import store
from hub_ui.catalog.codec import encode
from hub_ui.catalog.row import row_of
from hub_ui.catalog.store import Store
from hub_ui.database import transaction
from tests.hub_ui.catalog.builders import lora

_FIRST = """INSERT INTO loras (id, hub, hub_id, document, change, first_seen, seen, nsfw, keys, groups, whole, title,
            names, about, downloads, likes, newest) VALUES (?, 'civitai', ?, ?, ?, 'then', 'now', 0, '', '', '', '', '',
            '', 0, 0, 0)"""


def first_catalog(path: Path, documents: dict[int, str]) -> None:
    """As the first version left it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, transaction(connection):
        connection.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID")
        connection.execute("INSERT INTO migrations VALUES ('_m001_initial', 'then')")
        store.MIGRATIONS[0](connection)
        connection.executemany(_FIRST, [(number, str(number), text, number) for number, text in documents.items()])
        connection.execute("UPDATE meta SET value = ? WHERE name = 'change'", (len(documents),))


def test_a_first_catalog_keeps_its_loras_and_numbers(tmp_path: Path) -> None:
    loras = {number: lora(number, tags=("Ink",), creator="Ada") for number in range(1, 1_100)}
    first_catalog(tmp_path / "catalog.sqlite", {number: encode(each) for number, each in loras.items()})
    opened = Store(tmp_path / "catalog.sqlite")
    assert list(opened.rows()) == [(number, number, row_of(each)) for number, each in loras.items()]
    opened.close()


def test_an_entry_that_can_not_be_read_stops_no_migration(tmp_path: Path) -> None:
    first_catalog(tmp_path / "catalog.sqlite", {1: "{", 2: encode(lora(2))})
    opened = Store(tmp_path / "catalog.sqlite")
    assert [row_id for row_id, _, _ in opened.rows()] == [2]
    opened.close()


def test_loras_of_a_first_catalog_that_share_a_file_become_one_card(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    first_catalog(path, {number: encode(lora(number)) for number in (1, 2, 3)})
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE loras SET hub = 'huggingface' WHERE id = 2")
        connection.executemany(
            "INSERT INTO files (lora, place, hub, sha256) VALUES (?, 0, ?, ?)",
            [(1, "civitai", "ab"), (2, "huggingface", "ab"), (3, "civitai", "cd")],
        )
    opened = Store(path)
    assert [(number, row is not None) for number, _, row in opened.rows()] == [(3, True), (1, True), (2, False)]
    opened.close()
