import errno
import os
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from hub_ui.images.media_store import MediaFile, MediaStore

URL = "https://a.example/1.png"


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "kept", 1000)


def put(store: MediaStore, name: str, size: int = 100, at: float | None = None) -> None:
    """`at`: when it was last used, in seconds."""
    store.put(name, MediaFile(data=name.encode().ljust(size, b"."), media_type="image/png"))
    if at is not None:
        os.utime(store._paths(name)[0], (at, at))


def files(store: MediaStore) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def test_what_was_kept_comes_back_with_its_type_and_as_no_other(store: MediaStore) -> None:
    store.put(URL, MediaFile(data=b"bytes", media_type="video/webm"))
    found = store.get(URL)
    assert found is not None
    assert (found.data, found.media_type) == (b"bytes", "video/webm")
    assert store.get(URL + "?") is None
    put(store, URL)
    assert store.get(URL, ["video/mp4"]) is None
    assert store.get(URL, ["image/png"]) is not None
    store.clear()
    put(store, URL)
    kept = files(store)[0]
    kept.rename(kept.with_suffix(".svg"))
    assert store.get(URL) is None


def test_on_a_disk_that_may_only_be_read_what_is_kept_comes_back(
    store: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, URL)
    monkeypatch.setattr(os, "utime", Mock(side_effect=OSError(errno.EROFS, "Read-only file system")))
    assert store.get(URL) is not None


def test_what_was_not_used_for_longest_goes_first_and_the_budget_is_never_exceeded(store: MediaStore) -> None:
    for number in range(9):
        put(store, f"{number}", at=1000.0 + number)
    assert store.get("0") is not None
    put(store, "new", size=300)
    assert [name for name in [*map(str, range(9)), "new"] if store.get(name)] == ["0", "4", "5", "6", "7", "8", "new"]
    for number in range(200):
        put(store, f"{number}", size=7 + number % 90)
        assert store.size() <= 1000
    assert store.size() > 500


@pytest.mark.parametrize(("budget", "size"), [(1000, 1001), (0, 100)])
def test_what_is_larger_than_the_budget_is_not_kept(tmp_path: Path, budget: int, size: int) -> None:
    store = MediaStore(tmp_path, budget)
    put(store, URL, size=size)
    assert (store.get(URL), store.size(), files(store)) == (None, 0, [])


@pytest.mark.parametrize("damage", [b"", b"other bytes", b"https://a.example/1.png"])
def test_a_damaged_file_is_as_if_never_kept(store: MediaStore, damage: bytes) -> None:
    put(store, URL)
    files(store)[0].write_bytes(damage)
    assert (store.get(URL), files(store)) == (None, [])


def test_clearing_leaves_nothing_and_a_full_folder_costs_only_the_file(store: MediaStore, tmp_path: Path) -> None:
    put(store, URL)
    store.clear()
    assert (store.size(), store.get(URL)) == (0, None)
    (tmp_path / "file").write_text("a file where the folder should be")
    store = MediaStore(tmp_path / "file", 1000)
    put(store, URL)
    assert (store.get(URL), store.size()) == (None, 0)


def test_what_a_killed_process_left_behind_goes_in_time(store: MediaStore) -> None:
    put(store, URL)
    left = files(store)[0].with_suffix(".1234abcd.part")
    left.write_bytes(b"half")
    put(store, "2")
    assert left.exists()
    hours_ago = time.time() - 7200
    os.utime(left, (hours_ago, hours_ago))
    for number in range(3):
        put(store, f"new {number}")
    assert not left.exists()
