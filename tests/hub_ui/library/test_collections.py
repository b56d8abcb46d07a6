from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.collections import Collection, Collections
from tests.hub_ui.library.building import entry

INK = entry()
MIST = entry(ref=Ref.parse("civitai:7@8#9"), title="Mist", file="sd1/mist.safetensors", sha256="b" * 64)


@pytest.fixture
def collections(tmp_path: Path) -> Collections:
    return Collections(tmp_path / "collections")


def test_loras_are_added_and_taken_out(collections: Collections, tmp_path: Path) -> None:
    assert (collections.all(), list(tmp_path.iterdir())) == ((), [])
    collections.add("My styles", [MIST])
    collections.add("my  STYLES", [INK, MIST])
    [found] = collections.all()
    assert (found.name, set(found.refs)) == ("My styles", {INK.ref, MIST.ref})
    assert collections.take_out("My styles", [INK.ref]).entries == (MIST,)
    assert collections.get("My styles").entries == (MIST,)


def test_half_a_character_in_a_name_is_kept_as_a_question_mark(collections: Collections) -> None:
    collections.add("half \ud800", [INK])
    assert collections.get("half \ud800") == collections.get("half ?")


def test_a_deleted_collection_is_gone(collections: Collections) -> None:
    collections.add("a", [INK])
    assert collections.delete("A").entries == (INK,)
    with pytest.raises(NotFound, match="no collection “a”"):
        collections.get("a")
    with pytest.raises(NotFound):
        collections.take_out("a", [INK.ref])
    assert collections.all() == ()


def test_its_export_is_the_lock_file_of_its_loras(collections: Collections) -> None:
    collections.add("a", [MIST])
    text = collections.add("a", [INK]).lock_text()
    assert text == lockfile.dumps([INK, MIST]) == collections.get("a").lock_text()


def test_an_export_says_what_the_library_says_by_now(collections: Collections) -> None:
    moved = replace(INK, file="styles/ink.safetensors", weight=0.4)
    assert collections.add("a", [INK, MIST]).lock_text([moved]) == lockfile.dumps([moved, MIST])


def test_two_loras_that_had_one_path_at_different_times_fit_in(collections: Collections) -> None:
    collections.add("a", [INK])
    both = collections.add("a", [replace(MIST, file=INK.file)])
    assert len({one.file for one in both.entries}) == 2
    assert collections.get("a") == both


@pytest.mark.parametrize("names", [("a/b", "a:b"), ("絵" * 60, "絵" * 59), ("con", "_con"), ("..", "...")])
def test_names_that_no_file_may_have_stay_apart(
    collections: Collections, names: tuple[str, str], tmp_path: Path
) -> None:
    for name, one in zip(names, (INK, MIST), strict=True):
        collections.add(name, [one])
    assert [collections.get(name) for name in names] == [
        Collection(name=name, entries=(one,)) for name, one in zip(names, (INK, MIST), strict=True)
    ]
    assert {path.parent for path in tmp_path.rglob("*.lock")} == {tmp_path / "collections"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_what_is_no_name_is_refused(collections: Collections, name: str) -> None:
    with pytest.raises(UsageError, match="has a name of at most 60 characters"):
        collections.add(name, [INK])


def test_a_damaged_file_is_left_out_and_left_alone(collections: Collections, tmp_path: Path) -> None:
    collections.add("a", [INK])
    damaged = tmp_path / "collections" / "b.lock"
    damaged.write_bytes(b"\xff\xfe not toml")
    assert [one.name for one in collections.all()] == ["a"]
    assert damaged.read_bytes() == b"\xff\xfe not toml"
    with pytest.raises(lockfile.LockError, match="left as it is"):
        collections.add("b", [INK])


def test_a_damaged_file_is_told_with_its_line(collections: Collections, tmp_path: Path) -> None:
    collections.add("Mine", [INK])
    path = tmp_path / "collections" / "mine.lock"
    path.write_text(path.read_text().replace("title = ", "title "))
    [(name, why)] = collections.damaged()
    assert (name, why.startswith(f"{path} is not readable:"), "at line" in why) == ("mine.lock", True, True)
    with pytest.raises(lockfile.LockError, match="Mend it, or move it away"):
        collections.get("mine")
