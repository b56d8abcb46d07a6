"""Files that are damaged, missing, foreign, old or new: the catalog opens, and search works."""

import json
import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import tantivy

from connectors.errors import HubUiError
from hub_ui.catalog import index
from hub_ui.catalog.catalog import Catalog
from tests.hub_ui.catalog.builders import catalog, lora, titles


def filled(folder: Path) -> Path:
    """A closed catalog of one LoRA with a complete index."""
    with catalog(folder, lora()) as opened:
        assert titles(opened, "ink") == ["Ink 1"]
    return folder / "catalog.sqlite"


def subfolder(of: Path) -> Path:
    return next(path for path in of.with_suffix(".index").iterdir() if path.is_dir())


def overwrite(path: Path) -> None:
    path.write_bytes(b"<html>not a database</html>" * 400)


def overwrite_the_middle(path: Path) -> None:
    """The first page stays: the file still looks like a catalog."""
    data = path.read_bytes()
    path.write_bytes(data[:8_192] + b"\xa5" * (len(data) - 8_192))


def run(statement: str, *values: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement, values)

    return change


def add_and_search(opened: Catalog) -> None:
    for number in range(50):
        opened.add([lora(number)])
        titles(opened, "ink")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:1_000]),
        overwrite,
        overwrite_the_middle,
        run("DROP TABLE files"),
        run("ALTER TABLE loras RENAME COLUMN document TO documents"),
        run("DELETE FROM meta"),
    ],
)
def test_a_damaged_catalog_is_moved_aside(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(tmp_path)
    damage(path)
    with catalog(tmp_path, lora(2)) as opened:
        assert titles(opened, "ink") == ["Ink 2"]
    [aside] = tmp_path.glob("catalog.sqlite.damaged-*")
    assert f"It is kept as {aside}" in caplog.text


@pytest.mark.parametrize(
    "document", ["{", '{"v":1}', '{"v":2,"title":"Later"}', '{"v":1,"ref":5,"title":"x","url":"y"}']
)
def test_a_damaged_entry_costs_no_other_one(tmp_path: Path, document: str, caplog: pytest.LogCaptureFixture) -> None:
    with catalog(tmp_path, lora(1), lora(2)) as opened:
        run("UPDATE loras SET document = ? WHERE hub_id = '1'", document)(tmp_path / "catalog.sqlite")
        assert titles(opened, "ink") == ["Ink 2"]
        opened.mark_removed(lora(1).ref)
        opened.add([lora(1)])
        assert titles(opened, "ink") == ["Ink 1", "Ink 2"]
    assert "entry of" in caplog.text


@pytest.mark.parametrize("folder", ["../../victim", "..", "/", "", "x" * 12, "../victim"])
def test_an_edited_pointer_of_the_index_deletes_nothing(tmp_path: Path, folder: str) -> None:
    path = filled(tmp_path)
    victim = tmp_path / "victim"
    victim.mkdir()
    repoint(folder=folder)(path)
    with catalog(tmp_path) as opened:
        assert titles(opened, "ink") == ["Ink 1"]
    assert victim.is_dir()
    assert path.is_file()


def test_a_log_that_is_gone_costs_at_most_what_it_held(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1)):
        taken = tmp_path / "copy" / "catalog.sqlite"
        taken.parent.mkdir()
        shutil.copy(tmp_path / "catalog.sqlite", taken)  # without catalog.sqlite-wal
    with catalog(taken.parent, lora(2)) as opened:
        assert titles(opened, "ink")[-1] == "Ink 2"


def test_damage_found_later_is_a_message(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with Catalog.open(path) as opened:
        overwrite(path)
        with pytest.raises(HubUiError, match=r"catalog\.sqlite can't be used"):
            add_and_search(opened)


def pointer(of: Path) -> Path:
    return of.with_suffix(".index") / "current.json"


def repoint(**fields: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        pointer(path).write_text(json.dumps(json.loads(pointer(path).read_text()) | fields))

    return change


def remove_subfolder(path: Path) -> None:
    shutil.rmtree(subfolder(path))


def break_files(ending: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        for file in subfolder(path).glob(f"*{ending}"):
            file.write_bytes(b"\x00garbage" * 20)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: shutil.rmtree(path.with_suffix(".index")),
        lambda path: pointer(path).unlink(),
        lambda path: pointer(path).write_text('{"format":'),
        repoint(format=0),
        repoint(catalog="another"),
        repoint(change=10**9),
        repoint(folder="nowhere"),
        repoint(more=1),
        remove_subfolder,
        break_files("meta.json"),
        break_files(".idx"),
        break_files(".term"),
        break_files(".fast"),
        break_files(".pos"),
    ],
)
def test_a_damaged_index_is_rebuilt(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = filled(tmp_path)
    damage(path)
    with Catalog.open(path) as opened:
        opened.add([lora(2)])
        assert titles(opened, "ink") == ["Ink 1", "Ink 2"]


def test_an_index_that_is_damaged_while_open_is_rebuilt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with catalog(tmp_path, lora()) as opened:
        titles(opened)
        remove_subfolder(tmp_path / "catalog.sqlite")
        opened.add([lora(2)])
        assert titles(opened, "ink") == ["Ink 1", "Ink 2"]
    assert "is rebuilt" in caplog.text


def test_a_good_index_is_not_rebuilt(tmp_path: Path) -> None:
    path = filled(tmp_path)
    before = subfolder(path)
    with Catalog.open(path) as opened:
        opened.add([lora(2)])
        assert titles(opened, "ink") == ["Ink 1", "Ink 2"]
    assert subfolder(path) == before


def test_where_no_index_can_be_kept_one_is_made_elsewhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "catalog.index").write_text("in the way")
    with catalog(tmp_path, lora()) as opened:
        assert titles(opened, "ink") == ["Ink 1"]
        assert titles(opened, "ink") == ["Ink 1"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_while_another_process_writes_the_index_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_BUSY_SECONDS", 0.0)
    path = filled(tmp_path)
    other = tantivy.Index.open(str(subfolder(path))).writer(15_000_000, 1)
    with Catalog.open(path) as opened:
        opened.add([lora(2)])
        assert titles(opened, "ink") == ["Ink 1"]
        del other
        assert titles(opened, "ink") == ["Ink 1", "Ink 2"]


def test_abandoned_subfolders_go_with_a_rebuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path)
    pointer(path).unlink()
    monkeypatch.setattr(index, "_ABANDONED_SECONDS", -1)
    with Catalog.open(path) as opened:
        titles(opened)
    assert len([each for each in path.with_suffix(".index").iterdir() if each.is_dir()]) == 1
