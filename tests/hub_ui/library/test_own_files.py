from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import NotFound
from connectors.ref import Ref, local_ref
from hub_ui.library.identify import KEPT_SECONDS, OwnFiles
from hub_ui.library.library import Library
from hub_ui.library.sync import foreign
from tests.hub_ui.library.building import entry, sha256, weights

BYTES = weights()
REF = local_ref("ink", sha256(BYTES))
ENTRY = entry(ref=REF, title="ink", file="ink.safetensors", size=len(BYTES), sha256=sha256(BYTES), source="")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "upload" / "ink.safetensors"
    path.parent.mkdir()
    path.write_bytes(BYTES)
    return path


def test_a_file_can_be_used_before_it_is_kept_and_is_no_part_of_the_library(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    assert (own.entries(), library.folder.exists()) == ((), False)
    placed = own.add(given, ENTRY)
    assert (library.path(placed).read_bytes(), given.exists()) == (BYTES, False)
    assert (own.entry(REF), library.entries(), foreign(library)) == (placed, (), ())


def test_a_file_that_is_kept_is_in_the_library(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    kept = own.keep(REF, "sdxl/ink.safetensors")
    assert (kept.file, library.path(kept).read_bytes(), own.entries()) == ("sdxl/ink.safetensors", BYTES, ())
    assert library.entries() == (kept,)
    with pytest.raises(NotFound, match="Choose it again"):
        own.keep(REF, "sdxl/ink.safetensors")


def test_a_file_in_its_place_stays(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    (library.folder / "ink.safetensors").write_bytes(b"mine")
    kept = own.keep(REF, "ink.safetensors")
    assert (library.folder / "ink.safetensors").read_bytes() == b"mine"
    assert library.path(kept).read_bytes() == BYTES


def test_the_same_file_twice_is_one(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    given.write_bytes(BYTES)
    own.add(given, entry(ref=REF, file="other.safetensors", size=len(BYTES), sha256=sha256(BYTES), source=""))
    assert len(own.entries()) == len(list((library.folder / ".own").rglob("*.safetensors"))) == 1


def test_what_the_library_has_by_now_is_not_kept_twice(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    path = library.folder / "a.safetensors"
    path.write_bytes(BYTES)
    [known] = library.adopt([entry(ref=REF, file="a.safetensors", size=len(BYTES), sha256=sha256(BYTES), source="")])
    assert (own.keep(REF, "b.safetensors"), own.entries()) == (known, ())


def test_a_discarded_file_is_gone(library: Library, given: Path) -> None:
    own = OwnFiles(library)
    own.add(given, ENTRY)
    own.discard(REF)
    own.discard(REF)
    assert (own.entries(), list((library.folder / ".own").rglob("*.safetensors"))) == ((), [])


def test_what_nobody_keeps_for_a_day_goes_with_the_next_file(library: Library, given: Path) -> None:
    now = [0.0]
    own = OwnFiles(library, clock=lambda: now[0])
    own.add(given, ENTRY)
    given.write_bytes(weights(fill=b"\x02"))
    now[0] = KEPT_SECONDS + 1
    ref = Ref(hub="local", id="mist", version=sha256(weights(fill=b"\x02")))
    own.add(given, entry(ref=ref, file="mist.safetensors", sha256=ref.version, source=""))
    assert [one.ref for one in own.entries()] == [ref]
    assert len(list((library.folder / ".own").rglob("*.safetensors"))) == 1
