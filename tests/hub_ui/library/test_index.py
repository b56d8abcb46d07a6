import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.library.search import parse
from hub_ui.settings import from_environment
from tests.hub_ui.library import thousands

FIRST = thousands.made(0).versions[0].files[0].ref


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Services]:
    """20 LoRAs, 13 with a file, in folders that were last written to a minute ago."""
    with services.build(from_environment({"HUB_UI_HOME": str(tmp_path / "home")})) as made:
        thousands.fill(made, 20)
        for folder in (made.library.folder, *made.library.folder.rglob("*/")):
            os.utime(folder, (folder.stat().st_mtime - 60,) * 2)
        yield made


def missing(built: Services) -> set[Ref]:
    return {row.entry.ref for row in built.library_index.rows() if row.is_missing}


def path(built: Services) -> Path:
    return built.library.path(built.library.entry(FIRST))


def test_a_file_that_is_deleted_or_put_back_is_noticed(built: Services) -> None:
    assert len(missing(built)) == 7
    path(built).unlink()
    assert FIRST in missing(built)
    path(built).write_bytes(b"")
    assert FIRST not in missing(built)


def test_a_list_by_name_has_2_before_10(built: Services) -> None:
    entries = [thousands.entry_of(thousands.made(number)) for number in range(20, 23)]
    built.library.adopt([replace(entry, title=f"Ink {n}") for entry, n in zip(entries, (10, 9, 2), strict=True)])
    titles = [row.entry.title for row in built.library_search.find(parse("")).rows]
    assert [title for title in titles if re.fullmatch(r"Ink \d+", title)] == ["Ink 2", "Ink 9", "Ink 10"]


def test_a_new_folder_is_noticed_in_one_that_did_not_change_for_long(built: Services) -> None:
    entry = built.library.entries()[-1]
    before = missing(built)
    moved = built.library.folder / "new" / "deep" / "picture.png"
    moved.parent.mkdir(parents=True)
    moved.write_bytes(b"")
    assert missing(built) == before
    assert built.library_index.picture_beside(entry) is None
    beside = built.library.path(entry).with_suffix(".png")
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_bytes(b"")
    built.library_index.rows()
    assert built.library_index.picture_beside(entry) == beside


def test_a_change_of_one_lora_makes_its_row_alone_anew(built: Services) -> None:
    before = {row.entry.ref: row for row in built.library_index.rows()}
    built.annotations.change(FIRST, favorite=True)
    after = {row.entry.ref: row for row in built.library_index.rows()}
    assert [ref for ref, row in after.items() if row is not before[ref]] == [FIRST]
    built.annotations.change(FIRST, favorite=False)
    assert not built.library_index.row(FIRST).annotation.favorite


def test_only_what_another_program_changes_in_the_lock_file_is_made_anew(built: Services) -> None:
    before = {row.entry.ref: row for row in built.library_index.rows()}
    text = built.library.lock_text().replace('title = "Ink Ink Ink 00000"', 'title = "Ink"')
    built.library.lock.write_text(text, encoding="utf-8")
    after = {row.entry.ref: row for row in built.library_index.rows()}
    assert [ref for ref, row in after.items() if row is not before[ref]] == [FIRST]
    assert after[FIRST].entry.title == "Ink"


def test_a_folder_that_is_gone_has_no_files_until_it_comes_back(built: Services) -> None:
    before, aside = missing(built), built.library.folder / ".aside"
    path(built).parent.rename(aside)
    assert FIRST in missing(built)
    aside.rename(path(built).parent)
    assert missing(built) == before
