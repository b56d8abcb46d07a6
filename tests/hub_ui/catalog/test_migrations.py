"""Catalogs of older versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from connectors.claims.resolve import flatten
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog import store
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.codec import encode
from hub_ui.catalog.row import row_of
from hub_ui.catalog.store import Store
from hub_ui.database import transaction
from tests.hub_ui.catalog.builders import claim, file, lora, titles, version

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


def second_catalog(database: Path | str, *loras: Lora) -> None:
    """As it was before levels and kinds changed: with what is unrated at "safe", and runners as tools."""
    opened = Catalog(Store(database), None)
    opened.add(loras)
    opened.close()
    with _connected(database) as run:
        run("UPDATE loras SET nsfw = 0 WHERE nsfw = 1")
        run("""UPDATE loras SET kind = 'tool', document = replace(document, '["kind","runner","hub","inputs"]',
               '["kind","tool","tag","inputs"]') WHERE kind = 'runner'""")
        run("DELETE FROM migrations WHERE name = '_m004_levels'")


@contextmanager
def _connected(database: Path | str) -> Iterator[Callable[[str], object]]:
    if isinstance(database, Path):
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            yield connection.execute
    else:
        with psycopg.connect(database, autocommit=True) as shared:
            yield lambda statement: shared.execute(statement.encode())


def test_what_nobody_rated_leaves_the_safe_list_of_an_older_catalog(either_database: Path | str) -> None:
    second_catalog(either_database, lora(1), lora(2, nsfw="safe"), lora(3, nsfw="explicit"))
    opened = Catalog(Store(either_database), None)
    assert (titles(opened, nsfw="safe"), titles(opened)) == (["Ink 2"], ["Ink 1", "Ink 2"])
    opened.close()


def test_what_civitai_may_have_marked_returns_once_it_says_that_it_has_not(either_database: Path | str) -> None:
    second_catalog(either_database, lora(1, nsfw="mature"), lora(2, nsfw="soft"))
    opened = Catalog(Store(either_database), None)
    assert titles(opened, nsfw="explicit") == ["Ink 2"]
    opened.add([lora(1, nsfw="mature", claims=(claim("minor", False),))])
    assert titles(opened, nsfw="explicit") == ["Ink 1", "Ink 2"]
    opened.close()


def test_the_runners_of_an_older_catalog_get_their_own_kind(either_database: Path | str) -> None:
    runner = lora(ref=Ref.parse("replicate:ada/run"), title="Run", claims=(claim("kind", "runner", where="inputs"),))
    second_catalog(either_database, runner, lora(2, claims=(claim("kind", "tool"),)))
    opened = Catalog(Store(either_database), None)
    assert (titles(opened), titles(opened, kinds=("runner",))) == (["Ink 2"], ["Run"])
    assert flatten(opened.lora(runner.ref)).kind == "runner"
    opened.close()


def test_a_card_of_an_older_catalog_is_as_mature_as_its_strictest_home(either_database: Path | str) -> None:
    bytes_ = file(f"hf:ada/ink@{'0' * 40}#ink.safetensors", sha256="a" * 64)
    copy = lora(ref=Ref.parse("hf:ada/ink"), versions=(version(f"hf:ada/ink@{'0' * 40}", files=(bytes_,)),))
    second_catalog(either_database, lora(1, nsfw="safe", versions=(version(files=(file(sha256="a" * 64),)),)), copy)
    opened = Catalog(Store(either_database), None)
    assert (titles(opened, nsfw="safe"), titles(opened)) == ([], ["Ink 1"])
    opened.close()


def test_a_catalog_gets_the_column_of_a_new_filter_with_what_its_loras_say(either_database: Path | str) -> None:
    shared = (file("civitai:1@10#100", sha256="ab" * 32),)
    copies = [
        lora(number, creator=name, versions=(version(f"civitai:{number}@{number}0", files=shared),))
        for number, name in ((1, "Ada"), (2, "Bob"))
    ]
    before = Catalog(Store(either_database), None)
    before.add([*copies, lora(3, creator="Cy", access="removed")])
    before.close()
    with _connected(either_database) as run:
        run("ALTER TABLE loras DROP COLUMN creators")
    opened = Catalog(Store(either_database), None)
    found = [len(titles(opened, creators=(name,))) for name in ("ada", "bob", "cy", "dora")]
    assert (found, opened.stats().removed) == ([1, 1, 1, 0], 1)
    opened.close()
