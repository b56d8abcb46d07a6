import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub_ui.images.media_store import MediaStore, media_file

URL = "https://a.example/1.png"


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "kept", 1000)


def put(store: MediaStore, name: str, size: int = 100, at: float | None = None) -> None:
    """`at`: when it was last used, in seconds."""
    store.put(name, media_file(name.encode().ljust(size, b"."), "image/png"))
    if at is not None:
        os.utime(store._paths(name)[0], (at, at))


def files(store: MediaStore) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def test_what_was_kept_comes_back_with_its_type_and_as_no_other(store: MediaStore) -> None:
    store.put(URL, media_file(b"bytes", "video/webm"))
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


def test_clearing_leaves_nothing_and_a_folder_that_cannot_be_written_costs_nothing_but_the_file(
    store: MediaStore, tmp_path: Path
) -> None:
    put(store, URL)
    store.clear()
    assert (store.size(), store.get(URL)) == (0, None)
    (tmp_path / "file").write_text("a file where the folder should be")
    store = MediaStore(tmp_path / "file", 1000)
    put(store, URL)
    assert (store.get(URL), store.size()) == (None, 0)


ENDLESS = """
import sys
from pathlib import Path
from hub_ui.images.media_store import MediaStore, media_file
store, number = MediaStore(Path(sys.argv[1]), 20_000_000), 0
while True:
    store.put(f"{number % 50}", media_file(str(number).encode() * 100_000, "image/png"))
    print(number, flush=True)
    number += 1
"""


def test_a_process_killed_in_the_middle_leaves_nothing_half(tmp_path: Path) -> None:
    """Two at once, killed while they write the same addresses."""
    writers = [
        subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(60):
            writer.stdout.readline()
    for writer in writers:
        writer.kill()
        writer.communicate()
    store = MediaStore(tmp_path, 20_000_000)
    found = [file for number in range(50) if (file := store.get(str(number)))]
    assert found
    assert all(file.data == file.data[: len(file.data) // 100_000] * 100_000 for file in found)


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
