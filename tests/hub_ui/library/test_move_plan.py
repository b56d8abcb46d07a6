from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.annotations import Annotations
from hub_ui.library.changes import TAKEN, Changes, PlannedMove, moves_of, plan_moves
from hub_ui.library.file_names import DEFAULT, FileNameTemplate
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import entry, put, record

MIST = Ref.parse("civitai:7@8#9")
HF = Ref.parse("huggingface:ada/ink@" + "a" * 40 + "#ink.safetensors")


def fill(library: Library, *entries: Entry) -> None:
    for one in entries:
        put(library, one.file, b"x")
    library.lock.parent.mkdir(parents=True, exist_ok=True)
    library.lock.write_text(lockfile.dumps(entries))


def plan(library: Library, template: str, *entries: Entry) -> list[PlannedMove]:
    return list(plan_moves(library, entries, lambda one: None, FileNameTemplate.parse(template)))


def test_a_file_gets_the_name_that_the_catalog_and_the_lock_say(library: Library) -> None:
    ink = entry(file="a.safetensors", title="Mine", architecture="sdxl")
    fill(library, ink)
    [one] = plan_moves(library, [ink], lambda _: record(creator="bo"), FileNameTemplate.parse(DEFAULT))
    assert (one.place, one.state, one.notes) == ("sdxl/bo/Mine-2001.safetensors", "moves", ())


def test_without_the_catalog_an_owner_is_read_from_the_ref(library: Library) -> None:
    ink = entry(ref=HF, file="a.safetensors", title="Ink", sha256="b" * 64)
    fill(library, ink)
    [one] = plan(library, "{hub}/{creator}/{title}", ink)
    assert one.place == "huggingface/ada/Ink-a.safetensors"


def test_a_file_that_has_its_name_stays(library: Library) -> None:
    ink = entry(file="Ink lines.safetensors")
    fill(library, ink)
    [one] = plan(library, "{title}", ink)
    assert (one.state, moves_of([one])) == ("stays", {})


def test_two_of_one_name_are_told_apart_and_stay_so_the_next_time(library: Library) -> None:
    ink, mist = entry(file="a.safetensors"), entry(ref=MIST, file="b.safetensors")
    fill(library, ink, mist)
    planned = plan(library, "{title}", ink, mist)
    assert [one.place for one in planned] == ["Ink lines.safetensors", "Ink lines-b01dde3c.safetensors"]
    assert planned[1].notes == (TAKEN,)
    Changes(library, Annotations(library.folder / "a.sqlite")).move(moves_of(planned))
    assert [one.state for one in plan(library, "{title}", *library.entries())] == ["stays", "stays"]


def test_a_name_that_another_one_leaves_is_free(library: Library) -> None:
    ink, mist = entry(title="b", file="a.safetensors"), entry(ref=MIST, title="a", file="b.safetensors")
    fill(library, ink, mist)
    assert [one.place for one in plan(library, "{title}", ink, mist)] == ["b.safetensors", "a.safetensors"]
    assert [one.notes for one in plan(library, "{title}", ink)] == [(TAKEN,)]


def test_a_file_that_is_no_loras_keeps_its_place(library: Library) -> None:
    ink = entry(file="a.safetensors")
    fill(library, ink)
    (library.folder / "ink lines.safetensors").write_bytes(b"mine")
    (library.folder / "Ink lines.safetensors").write_bytes(b"mine")
    [one] = plan(library, "{title}", ink)
    assert (one.place, one.notes) == ("Ink lines-38fcb4ed.safetensors", (TAKEN,))


def test_a_missing_file_is_reported_and_keeps_its_path(library: Library) -> None:
    ink = entry(file="a.safetensors")
    fill(library, ink)
    Path(library.folder / "a.safetensors").unlink()
    [one] = plan(library, "{title}", ink)
    assert one.error is not None
    assert (one.state, one.error.message) == ("fails", "a.safetensors is missing. Bring it back with: hub-ui sync")


@pytest.mark.parametrize(
    ("title", "place", "notes"),
    [
        ("a/b: c?", "a b c.safetensors", ("Characters that no file name may have are left out.",)),
        ("x" * 400, "x" * 72 + ".safetensors", ("It is shortened.",)),
        ("CON", "_CON.safetensors", ("Characters that no file name may have are left out.",)),
    ],
)
def test_what_a_name_had_to_lose_is_said(library: Library, title: str, place: str, notes: tuple[str, ...]) -> None:
    ink = entry(title=title, file="a.safetensors")
    fill(library, ink)
    [one] = plan(library, "{title}", ink)
    assert (one.place, one.notes) == (place, notes)
