"""A catalog in PostgreSQL: several processes, a server that goes away, addresses and passwords."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from connectors.errors import HubUiError
from connectors.ref import Ref
from hub_ui.catalog import schema, snapshot
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.schema import translate, without_password
from hub_ui.catalog.store import Store
from tests.hub_ui.catalog.builders import lora, titles
from tests.hub_ui.catalog.postgres_server import empty


@pytest.fixture(name="address")
def empty_database(postgres: str) -> str:
    empty(postgres)
    return postgres


def sql(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_two_with_an_index_of_their_own_find_what_each_has_added(tmp_path: Path, address: str) -> None:
    one, other = (Catalog.open(tmp_path / name / "catalog.sqlite", address) for name in ("one", "other"))
    with one, other:
        for number, writer, reader in ((1, one, other), (2, other, one), (3, one, other)):
            writer.add([lora(number)])
            assert len(titles(reader, "ink")) == number


def test_a_snapshot_of_it_is_the_same_file_as_one_of_sqlite(tmp_path: Path, address: str) -> None:
    loras = [lora(number, ref=Ref.parse(f"huggingface:{name}/x"), versions=()) for number, name in enumerate("bAaZ_9")]
    for name, database in (("file", ""), ("server", address)):
        with Catalog.open(tmp_path / name / "catalog.sqlite", database) as opened:
            opened.add(loras)
            snapshot.export(opened.documents(), tmp_path / f"{name}.zst")
            stale = opened.stale_refs("huggingface", datetime(2999, 1, 1, tzinfo=UTC), 10)
            assert [ref.id for ref in stale] == ["9/x", "A/x", "Z/x", "_/x", "a/x", "b/x"]
    assert (tmp_path / "file.zst").read_bytes() == (tmp_path / "server.zst").read_bytes()


def test_numbers_of_changes_appear_in_order(address: str) -> None:
    """Whoever follows the changes while others write misses none."""
    catalogs = [Catalog(address, None) for _ in range(4)]
    seen, last, until = set[int](), 0, time.monotonic() + 60

    def add(start: int, of: Catalog) -> None:
        for number in range(start, start + 25):
            of.add([lora(number)])

    with ThreadPoolExecutor(3) as pool:
        added = pool.map(add, (100, 200, 300), catalogs)
        while len(seen) < 75 and time.monotonic() < until:
            for number, change, _ in catalogs[3].rows(after=last):
                seen.add(number)
                last = change
    assert list(added) == [None, None, None]
    for catalog in catalogs:
        catalog.close()
    assert len(seen) == 75


def test_a_lost_server_is_a_message_and_then_forgotten(tmp_path: Path, address: str) -> None:
    with Catalog.open(tmp_path / "catalog.sqlite", address) as opened:
        opened.add([lora(1)])
        titles(opened)
        sql(address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hub-ui'")
        with pytest.raises(HubUiError, match="The catalog in PostgreSQL can't be used"):
            opened.add([lora(2)])
        opened.add([lora(2)])
        assert titles(opened, "ink") == ["Ink 1", "Ink 2"]


def test_who_waits_too_long_for_another_writer_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Store(address), Catalog(address, None)
    monkeypatch.setattr(schema, "_LOCK_MILLISECONDS", 50)
    with one.writing(), pytest.raises(HubUiError, match="lock timeout"):
        other.put_state("cursor", "12")
    other.put_state("cursor", "13")
    assert one.state("cursor") == "13"
    one.close()
    other.close()


def test_nobody_there_is_a_message_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(HubUiError, match="HUB_UI_DATABASE") as caught:
        Store("postgresql://ada:se%20cret@127.0.0.1:1/catalog")
    assert "cret" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO migrations VALUES ('_m999_later', '2030-01-01')", "newer hub-ui"),
        ("DROP TABLE files", "HUB_UI_DATABASE"),
        ("ALTER TABLE loras DROP COLUMN document", "HUB_UI_DATABASE"),
        ("DELETE FROM meta", "HUB_UI_DATABASE"),
    ],
)
def test_a_database_that_is_not_ours_or_newer_is_left_alone(address: str, change: str, said: str) -> None:
    Store(address).close()
    sql(address, change)
    with pytest.raises(HubUiError, match=said):
        Store(address)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("CREATE TABLE a (b INTEGER PRIMARY KEY) WITHOUT ROWID", "CREATE TABLE a (b BIGINT PRIMARY KEY)"),
        ("CREATE TABLE a (b TEXT)", 'CREATE TABLE a (b TEXT COLLATE "C")'),
        ("SELECT instr(title, ?) > 0", "SELECT strpos(title, %s) > 0"),
    ],
)
def test_sql_is_translated(theirs: str, ours: str) -> None:
    assert translate(theirs) == ours


@pytest.mark.parametrize("said", ['invalid "se%20cret"', "of se cret here", "postgresql://ada:se%20cret@box/x"])
def test_a_message_is_without_the_password(said: str) -> None:
    assert "cret" not in without_password(said, "postgresql://ada:se%20cret@box/x")
