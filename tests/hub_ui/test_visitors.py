from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.library.library import Library
from hub_ui.visitors import VisitorLibrary
from tests.hub_ui.library.building import entry, sha256

HOUR = 3600.0


class Clock:
    now = 10 * HOUR

    def __call__(self) -> float:
        return self.now


def ref(number: int) -> Ref:
    return Ref.parse(f"civitai:{number}@{number}#{number}")


@pytest.fixture
def library(home: Path) -> Library:
    """Three files of 100 bytes each, beside their entries in the lock file."""
    library = Library(home / "loras", home / "loras.lock")
    data = bytes(100)
    for number in (1, 2, 3):
        own = entry(ref=ref(number), file=f"{number}.safetensors", size=100, sha256=sha256(data))
        library.path(own).parent.mkdir(parents=True, exist_ok=True)
        library.path(own).write_bytes(data)
        library.adopt([own])
    return library


def left(library: Library) -> list[str]:
    return [entry.ref.id for entry in library.entries()]


def room(library: Library, clock: Clock, *, most: int = 350, free: int = 10**10) -> VisitorLibrary:
    return VisitorLibrary(library, most=most, largest=200, clock=clock, free=lambda: free)


def test_what_was_used_longest_ago_goes_first(library: Library) -> None:
    clock = Clock()
    made = room(library, clock)
    for number in (2, 1, 3):
        made.use(ref(number))
        clock.now += HOUR
    with made.reserve(ref(4), 100):
        assert left(library) == ["1", "3"]
    assert sorted(path.name for path in library.folder.glob("*.safetensors")) == ["1.safetensors", "3.safetensors"]


def test_what_was_used_lately_stays(library: Library) -> None:
    clock = Clock()
    made = room(library, clock)
    for number in (1, 2, 3):
        made.use(ref(number))
    with pytest.raises(HubUiError, match="no room for another LoRA"), made.reserve(ref(4), 100):
        pass
    assert left(library) == ["1", "2", "3"]


def test_what_is_coming_counts(library: Library) -> None:
    made = room(library, Clock(), most=400)
    with made.reserve(ref(4), 100), made.reserve(ref(5), 100):
        assert left(library) == ["2", "3"]


def test_a_disk_that_is_almost_full_takes_nothing_more(library: Library) -> None:
    with pytest.raises(HubUiError, match="no room"), room(library, Clock(), free=1_000_000_050).reserve(ref(4), 100):
        pass


def test_a_file_that_is_too_large_is_refused_by_its_size(library: Library) -> None:
    made = VisitorLibrary(library, most=10**9, largest=2_000_000, free=lambda: 10**10)
    with pytest.raises(UsageError, match="takes 3 MB, and a shared page tries files of at most 2 MB"):
        made.reserve(ref(4), 3_000_000).__enter__()


def test_an_unknown_size_is_taken_for_the_largest(library: Library) -> None:
    with room(library, Clock()).reserve(ref(4), None):
        assert left(library) == ["3"]
