"""hub_ui/hosting/downloads.py: the lists of visitors."""

import gc
from pathlib import Path

import pytest

from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.hosting import downloads
from hub_ui.hosting.downloads import SessionLibraries, read_shared_lock
from hub_ui.hosting.visitor import Visitor, use_visitor
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import entry

ADA, BEN = Visitor(id="ada"), Visitor(id="ben")


def one(number: int, **fields: object) -> Entry:
    return entry(**{"ref": Ref.parse(f"civitai:{number}@{number}#{number}"), **fields})


def titles(libraries: SessionLibraries, visitor: Visitor | None) -> list[str]:
    with use_visitor(visitor):
        return [item.entry.ref.id for item in libraries.entries()]


def test_two_visitors_have_different_libraries_beside_the_operators_lock() -> None:
    libraries = SessionLibraries(shared=(one(9),))
    for visitor, numbers in ((ADA, (1, 2)), (BEN, (3,))):
        with use_visitor(visitor):
            for number in numbers:
                libraries.add(one(number), "anyone")
    assert (titles(libraries, ADA), titles(libraries, BEN), titles(libraries, None)) == (
        ["2", "1", "9"],
        ["3", "9"],
        ["9"],
    )
    with use_visitor(BEN):
        assert (libraries.holds(Ref.parse("civitai:1")), libraries.find(Ref.parse("civitai:1"))) == (False, None)


def test_it_is_gone_with_its_visitor() -> None:
    libraries = SessionLibraries()
    visitor = Visitor(id="eve")
    with use_visitor(visitor):
        libraries.add(one(1), "anyone")
    assert len(libraries._lists) == 1
    del visitor
    gc.collect()
    assert len(libraries._lists) == 0


def test_the_lock_reads_back_with_a_name_for_each_file() -> None:
    libraries = SessionLibraries(shared=(one(9),))
    with use_visitor(ADA):
        libraries.add(one(1), "anyone")
        libraries.add(one(2), "visitor")
        found = lockfile.loads(libraries.lock_text())
    assert [item.ref.id for item in found] == ["1", "2", "9"]
    assert len({item.file for item in found}) == 3


def test_the_oldest_goes_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MOST_ENTRIES", 2)
    libraries = SessionLibraries()
    with use_visitor(Visitor(id="eve")):
        for number in (1, 2, 1, 3):
            libraries.add(one(number), "anyone")
        assert [item.entry.ref.id for item in libraries.entries()] == ["3", "1"]


def test_what_is_removed_is_gone_and_the_operators_stays() -> None:
    libraries = SessionLibraries(shared=(one(9),))
    with use_visitor(Visitor(id="eve")):
        libraries.add(one(1), "anyone")
        libraries.remove(one(1).ref)
        with pytest.raises(NotFound, match="not in your library any more"):
            libraries.remove(one(9).ref)
        assert [item.entry.ref.id for item in libraries.entries()] == ["9"]


def test_an_operators_lock_that_can_not_be_shown_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "loras.lock"
    with pytest.raises(UsageError, match=r"HUB_UI_SHARED_LOCK: .* can't be read"):
        read_shared_lock(path)
    path.write_text(lockfile.dumps([entry(ref=Ref.parse(f"local:ink@{'a' * 64}"), source="")]))
    with pytest.raises(UsageError, match=r"no hub has “Ink lines” of loras\.lock"):
        read_shared_lock(path)
    path.write_text(lockfile.dumps([one(1)]))
    assert read_shared_lock(path) == (one(1),)
    assert read_shared_lock(None) == ()
