from __future__ import annotations

import os
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.sync import check, check_all, foreign
from tests.hub_ui.library.building import entry, sha256, weights

FILE = weights()


@pytest.fixture
def held(library: Library) -> Entry:
    made = entry(sha256=sha256(FILE), size=len(FILE))
    put(library, made.file, FILE)
    library.lock.write_text(lockfile.dumps([made]))
    return made


def put(library: Library, name: str, data: bytes = b"") -> Path:
    path = library.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_right_bytes_are_right(library: Library, held: Entry) -> None:
    found = check(library, held)
    assert (found.state, found.sha256, found.size, found.right) == ("right", sha256(FILE), len(FILE), True)


def test_one_other_byte_is_a_change(library: Library, held: Entry) -> None:
    library.path(held).write_bytes(FILE[:-1] + b"\x02")
    assert check(library, held).state == "changed"


def test_a_folder_in_its_place_is_a_missing_file(library: Library, held: Entry) -> None:
    library.path(held).unlink()
    library.path(held).mkdir()
    assert check(library, held).state == "missing"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a file that may not be read")
def test_a_file_that_cannot_be_read_is_unreadable(library: Library, held: Entry) -> None:
    library.path(held).chmod(0)
    assert check(library, held).state == "unreadable"


def test_all_come_in_order_and_are_counted(library: Library, held: Entry) -> None:
    second = entry(ref=Ref.parse("civitai:1@2"), file="b.safetensors")
    library.lock.write_text(lockfile.dumps([held, second]))
    counts: list[int] = []
    states = [found.state for found in check_all(library, lambda done, _: counts.append(done))]
    assert (states, counts) == (["right", "missing"], [1, 2])


@pytest.mark.parametrize(
    "name",
    [
        "other.safetensors",
        "sd1/old.ckpt",
        "notes.txt",
        "sd1/ada/Ink lines-2001.safetensors.changed",
        "sd1/ada/Ink lines-2001.safetensors.changed1",
    ],
)
def test_a_file_that_no_entry_names_is_foreign(library: Library, held: Entry, name: str) -> None:
    put(library, name)
    assert foreign(library) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        ".hub-ui/x.lock",
        "sd1/ada/Ink lines-2001.json",
        "sd1/ada/Ink lines-2001.preview.png",
        "sd1/ada/Ink lines-2001.metadata.json",
        "sd1/ada/Ink lines-2001.abc.part",
        ".DS_Store",
    ],
)
def test_what_belongs_to_a_weight_file_is_not_foreign(library: Library, held: Entry, name: str) -> None:
    put(library, name)
    assert foreign(library) == ()


def test_the_lock_file_in_the_folder_is_not_foreign(tmp_path: Path) -> None:
    library = Library(tmp_path, tmp_path / "loras.lock")
    library.lock.write_text(lockfile.dumps([]))
    assert foreign(library) == ()
