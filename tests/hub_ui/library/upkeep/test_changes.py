import errno
import os
import signal
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import HubUiError, NotFound
from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.annotations import Annotation, Annotations
from hub_ui.library.file_names import DEFAULT, FileNameTemplate
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.changes import TAKEN, Changes, PlannedMove, moves_of, plan_moves
from hub_ui.library.upkeep.trash import decode_change
from tests.hub_ui.library.building import entry, files, put, record, sha256, weights
from tests.programs import python

NAMES = ("ink", "mist", "rust")


@pytest.fixture
def held(library: Library) -> tuple[Entry, ...]:
    """Three LoRAs with files of their own bytes."""
    made = tuple(lora(number, name) for number, name in enumerate(NAMES, 1))
    for number, one in enumerate(made, 1):
        put(library, one.file, weights(fill=bytes([number])))
    library.lock.write_text(lockfile.dumps(made))
    return made


def lora(number: int, name: str) -> Entry:
    data = weights(fill=bytes([number]))
    return entry(
        ref=Ref.parse(f"civitai:{number}@{number}0#{number}00"), title=name, file=f"sd1/{name}.safetensors",
        size=len(data), sha256=sha256(data),
    )  # fmt: skip


def changes_of(library: Library, **options: Any) -> Changes:
    return Changes(library, Annotations(library.folder.with_name("annotations.sqlite")), **options)


def is_whole(library: Library, one: Entry) -> bool:
    path = library.path(one)
    return path.is_file() and sha256(path.read_bytes()) == one.sha256


def test_what_was_only_forgotten_is_entered_again(library: Library, held: tuple[Entry, ...]) -> None:
    changes_of(library).remove(held[:1], keep_files=True)
    assert (len(files(library)), len(library.entries())) == (3, 2)
    changes_of(library).undo()
    assert library.entries() == held


def refuse_to_rename(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if source.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)


def test_a_file_that_another_program_holds_stays_with_its_entry(
    library: Library, held: tuple[Entry, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_rename("ink.safetensors", monkeypatch)
    assert changes_of(library).remove(held[:1]).change is None
    outcome = changes_of(library).remove(held[:2])
    assert [error.message for error in outcome.failed.values()] == [
        "sd1/ink.safetensors can't be removed: Permission denied."
    ]
    assert (outcome.done, library.entries()) == ((held[1],), (held[0], held[2]))
    assert (changes_of(library).undo().failed, library.entries()) == ({}, held)


def test_a_second_undo_is_of_what_the_first_could_not_put_back(
    library: Library, held: tuple[Entry, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = changes_of(library)
    changes.remove(held)
    with monkeypatch.context() as patch:
        refuse_to_rename("0-ink.safetensors", patch)
        assert changes.undo().done == held[1:]
    [left] = changes.recent()
    assert (left.entries, left.size) == (held[:1], held[0].size)
    back = changes.undo()
    assert (back.done, back.failed, changes.recent(), library.entries()) == (held[:1], {}, (), held)


def test_an_undo_is_of_the_lock_file_that_the_change_was_made_in_if_it_is_there(
    library: Library, held: tuple[Entry, ...]
) -> None:
    team, own = library.folder.with_name("team.lock"), library.lock.read_bytes()
    team.write_text(lockfile.dumps(held[:2]))
    of_team = Library(library.folder, team)
    changes_of(of_team).remove(held[:1])
    changes_of(library).undo()
    assert (of_team.entries(), library.lock.read_bytes()) == (held[:2], own)
    changes_of(of_team).remove(held[:1])
    team.unlink()
    assert changes_of(library).undo().done == held[:1]
    assert not team.exists()


def test_changes_are_listed_newest_first_and_undone_by_name(library: Library, held: tuple[Entry, ...]) -> None:
    changes = changes_of(library)
    first, second = (changes.remove([one]).change for one in held[:2])
    assert first is not None
    assert second is not None
    assert [change.id for change in changes.recent()] == [second.id, first.id]
    changes.undo(first.id)
    assert library.entries() == (held[0], held[2])
    with pytest.raises(NotFound, match="no such change to undo"):
        changes.undo(first.id)


def test_without_changes_there_is_nothing_to_undo(library: Library) -> None:
    with pytest.raises(NotFound, match=f"no such change to undo in {library.folder}"):
        changes_of(library).undo()
    changes_of(library).finish()
    assert changes_of(library).empty() == 0


def test_what_is_here_again_is_not_put_back(library: Library, held: tuple[Entry, ...]) -> None:
    changes = changes_of(library)
    changes.remove(held[:2])
    put(library, held[0].file, weights(fill=b"\x01"))
    library.lock.write_text(lockfile.dumps([held[0], held[2]]))
    back = changes.undo()
    assert [error.message for error in back.failed.values()] == ["civitai:1@10#100 is in the library again already."]
    assert (back.done, library.entries()) == ((held[1],), held)


def test_a_stranger_in_its_place_stays_and_it_comes_back_beside_it(library: Library, held: tuple[Entry, ...]) -> None:
    changes = changes_of(library)
    changes.remove(held[:1])
    stranger = put(library, held[0].file, b"mine")
    [back] = changes.undo().done
    assert (stranger.read_bytes(), back.file) == (b"mine", "sd1/ink-dc140064.safetensors")
    assert is_whole(library, back)


def test_a_file_that_left_the_trash_is_reported(library: Library, held: tuple[Entry, ...]) -> None:
    changes = changes_of(library)
    changes.remove(held[:1])
    for path in (library.folder / ".trash").rglob("*.safetensors"):
        path.unlink()
    back = changes.undo()
    assert [error.message for error in back.failed.values()] == [
        "“ink” can't be put back: it is not in the trash any more."
    ]
    assert changes.recent() == ()


def test_the_trash_says_what_emptying_it_frees(library: Library, held: tuple[Entry, ...]) -> None:
    changes = changes_of(library)
    changes.remove(held[:2])
    assert sum(change.size for change in changes.recent()) == 2 * held[0].size
    assert changes.empty() == 2 * held[0].size
    assert (changes.recent(), len(files(library))) == ((), 1)


def test_changes_of_thirty_days_ago_are_dropped_by_the_next(library: Library, held: tuple[Entry, ...]) -> None:
    past = datetime.now(UTC) - timedelta(days=31)
    changes_of(library, now=lambda: past).remove(held[:1])
    changes = changes_of(library)
    assert len(changes.recent()) == 1
    changes.remove(held[1:2])
    assert [change.entries for change in changes.recent()] == [held[1:2]]


def test_the_oldest_go_when_the_trash_takes_too_much_but_the_last(library: Library, held: tuple[Entry, ...]) -> None:
    changes = changes_of(library, most=held[0].size)
    changes.remove(held[:1])
    changes.remove(held[1:])
    assert [change.entries for change in changes.recent()] == [held[1:]]


def test_files_swap_their_names(library: Library, held: tuple[Entry, ...]) -> None:
    ink, mist, _ = held
    outcome = changes_of(library).move({ink: mist.file, mist: ink.file})
    assert [(one.title, one.file) for one in outcome.done] == [("ink", mist.file), ("mist", ink.file)]
    assert all(is_whole(library, one) for one in library.entries())
    changes_of(library).undo()
    assert library.entries() == held
    assert all(is_whole(library, one) for one in held)


def test_what_belongs_to_a_file_moves_with_it(library: Library, held: tuple[Entry, ...]) -> None:
    for name in ("ink.preview.png", "INK.civitai.info", "ink.metadata.json", "inkwell.json", "notes.txt"):
        put(library, f"sd1/{name}", b"x")
    changes_of(library).move({held[0]: "styles/Ada/lines.safetensors"})
    assert files(library) == [
        "sd1/inkwell.json", "sd1/mist.safetensors", "sd1/notes.txt", "sd1/rust.safetensors",
        "styles/Ada/lines.civitai.info", "styles/Ada/lines.metadata.json", "styles/Ada/lines.preview.png",
        "styles/Ada/lines.safetensors",
    ]  # fmt: skip
    changes_of(library).undo()
    assert "sd1/ink.preview.png" in files(library)
    assert not (library.folder / "styles").exists()


def test_nothing_is_overwritten_by_a_move(library: Library, held: tuple[Entry, ...]) -> None:
    put(library, "sd1/taken.safetensors", b"mine")
    outcome = changes_of(library).move(
        {held[0]: "sd1/taken.safetensors", held[1]: held[2].file, held[2]: "b.safetensors"}
    )
    assert [error.message for error in outcome.failed.values()] == [
        "There is another file at sd1/taken.safetensors. Choose another template, or move that file away."
    ]
    assert (library.folder / "sd1/taken.safetensors").read_bytes() == b"mine"
    assert [(one.title, one.file) for one in library.entries()] == [
        ("ink", "sd1/ink.safetensors"), ("mist", "sd1/rust.safetensors"), ("rust", "b.safetensors"),
    ]  # fmt: skip
    assert all(is_whole(library, one) for one in library.entries())


@pytest.mark.parametrize("place", ["../out.safetensors", "sd1/ink.pt", "con/x.safetensors", "/tmp/x.safetensors"])
def test_no_move_leaves_the_library(library: Library, held: tuple[Entry, ...], place: str) -> None:
    outcome = changes_of(library).move({held[0]: place})
    assert (len(outcome.failed), outcome.change, library.entries()) == (1, None, held)


@pytest.mark.parametrize(
    "renames", [[["a", "../b"]], [["/a", "b"]], [["a", "b/../../c"]], [["a", "c:\\b"]], "no list", [["a"]], None]
)
def test_a_record_that_leads_out_of_the_library_is_none(renames: Any) -> None:
    values = f'{{"id": "1", "at": "", "kind": "remove", "size": 0, "lock": "version = 1", "renames": {renames!r}}}'
    assert decode_change(values.replace("'", '"').encode()) is None


class Killed(BaseException):
    """Ends everything as a signal would: no handler of errors catches it."""


def end_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends in front of its `step`th rename: of a record, the lock file or a file of the library."""
    left = [step]

    def counting(rename: Any) -> Any:
        def ending(source: Any, target: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            rename(source, target)

        return ending

    monkeypatch.setattr(os, "rename", counting(os.rename))
    monkeypatch.setattr(os, "replace", counting(os.replace))


@pytest.mark.parametrize("step", range(8))
@pytest.mark.parametrize("is_undone", [False, True])
def test_a_removal_that_is_ended_anywhere_loses_nothing(
    library: Library, held: tuple[Entry, ...], step: int, is_undone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_undone:
        changes_of(library).remove(held)
    with monkeypatch.context() as patch:
        end_at(step, patch)
        with suppress(Killed):
            changes_of(library).undo() if is_undone else changes_of(library).remove(held)
    changes_of(library).finish()
    if library.entries() == ():
        assert is_undone or files(library) == []
        assert (changes_of(library).undo().done, (library.folder / ".trash").exists()) == (held, False)
    assert library.entries() == held
    assert all(is_whole(library, one) for one in held)


@pytest.mark.parametrize("step", range(12))
@pytest.mark.parametrize("is_undone", [False, True])
def test_a_move_that_is_ended_anywhere_leaves_each_file_where_the_lock_says(
    library: Library, held: tuple[Entry, ...], step: int, is_undone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ink, mist, rust = held
    wanted = {ink: mist.file, mist: ink.file, rust: "new/rust.safetensors"}
    if is_undone:
        changes_of(library).move(wanted)
    with monkeypatch.context() as patch:
        end_at(step, patch)
        with suppress(Killed):
            changes_of(library).undo() if is_undone else changes_of(library).move(wanted)
    changes_of(library).finish()
    assert all(is_whole(library, one) for one in library.entries())
    assert len(files(library)) == 3


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that cannot be caught")
def test_a_killed_process_leaves_the_library_to_others(library: Library, held: tuple[Entry, ...]) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from hub_ui.library.annotations import Annotations\n"
        "from hub_ui.library.upkeep.changes import Changes\nfrom hub_ui.library.library import Library\n"
        "library = Library(Path(sys.argv[1]), Path(sys.argv[2]))\nrename = os.rename\n"
        "annotations = Annotations(Path(sys.argv[1] + 'x'))\n"
        "def rename_one(source, target):\n    rename(source, target)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.rename = rename_one\nChanges(library, annotations).remove(library.entries())\n"
    )
    ended = python("-c", program, str(library.folder), str(library.lock), check=False)
    assert (ended.returncode, len(files(library)), library.entries()) == (-signal.SIGKILL, 2, ())
    assert changes_of(library).undo().done == held
    assert all(is_whole(library, one) for one in held)


def fill_disk(monkeypatch: pytest.MonkeyPatch, is_full: Any) -> None:
    """Writing fails while `is_full()`; renaming and deleting do not."""
    written = Path.open

    def open_(self: Path, mode: str = "r", *args: Any, **fields: Any) -> Any:
        if "w" in mode and is_full():
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(self, mode, *args, **fields)

    monkeypatch.setattr(Path, "open", open_)


def test_on_a_full_disk_the_oldest_of_the_trash_makes_room(
    library: Library, held: tuple[Entry, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = changes_of(library)
    changes.remove(held[:1])
    [old] = (library.folder / ".trash").rglob("*.safetensors")
    fill_disk(monkeypatch, old.exists)
    outcome = changes.remove(held[1:2])
    assert (outcome.note, library.entries()) == ("", held[2:])
    assert [change.entries for change in changes.recent()] == [held[1:2]]


def test_with_an_empty_trash_a_full_disk_is_told_that_it_is_for_good(
    library: Library, held: tuple[Entry, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk(monkeypatch, library.path(held[0]).exists)
    outcome = changes_of(library).remove(held[:1])
    assert outcome.note == "The disk is full, so this was deleted for good, without a way back."
    assert (library.entries(), changes_of(library).recent()) == (held[1:], ())


def test_a_full_disk_moves_nothing(library: Library, held: tuple[Entry, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        fill_disk(patch, lambda: True)
        with pytest.raises(HubUiError, match="full"):
            changes_of(library).move({held[0]: "a.safetensors"})
    assert (library.entries(), changes_of(library).recent()) == (held, ())
    assert all(is_whole(library, one) for one in held)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that may not be written")
def test_a_file_that_cannot_be_renamed_stays_known(library: Library, held: tuple[Entry, ...], tmp_path: Path) -> None:
    (library.folder / "closed").mkdir(mode=0o500)
    outcome = changes_of(library).move({held[0]: "closed/ink.safetensors", held[1]: "open/mist.safetensors"})
    assert [error.message for error in outcome.failed.values()] == [
        "sd1/ink.safetensors can't be moved: Permission denied."
    ]
    assert [one.file for one in library.entries()] == [
        "sd1/ink.safetensors", "open/mist.safetensors", "sd1/rust.safetensors",
    ]  # fmt: skip


def test_annotations_go_back_but_for_what_was_said_since(library: Library, held: tuple[Entry, ...]) -> None:
    changes = changes_of(library)
    store = Annotations(library.folder.with_name("annotations.sqlite"))
    ink, mist = (one.ref.lora for one in held[:2])
    store.change(ink, tags=("old",), weight=0.5)
    changes.annotate([ink, mist], lambda one: replace(one, tags=(*one.tags, "new"), weight=0.8))
    store.change(ink, note="mine", weight=0.7)
    changes.undo()
    assert store.get(ink) == Annotation(ref=ink, tags=("old",), weight=0.7, note="mine")
    assert store.get(mist).is_empty
    assert changes.recent() == ()


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
