"""Files that are sent to workers: found where they are already, checked by their bytes, within a budget."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import WrongHash
from hub_ui.cluster.replica import FileStore, SharedFile, read_chunks


def shared(path: Path, data: bytes) -> SharedFile:
    return SharedFile(path=path, sha256=hashlib.sha256(data).hexdigest(), node="page")


def never(_file: SharedFile) -> Iterator[bytes]:
    raise AssertionError("it was read again")


def test_a_file_in_a_shared_folder_is_read_there(tmp_path: Path) -> None:
    (tmp_path / "ink.safetensors").write_bytes(b"ink")
    store = FileStore(tmp_path / "store", 100)
    assert store.find(shared(tmp_path / "ink.safetensors", b"ink"), never) == tmp_path / "ink.safetensors"


def test_a_file_of_another_computer_is_fetched_once(tmp_path: Path) -> None:
    store, file = FileStore(tmp_path, 100), shared(Path("/elsewhere/ink.safetensors"), b"ink")
    fetched = store.find(file, lambda _file: [b"i", b"nk"])
    assert (fetched.name, fetched.read_bytes()) == (f"{file.sha256}.safetensors", b"ink")
    assert store.find(file, never) == fetched


def test_use_of_a_fetched_file_leaves_its_time_of_change(tmp_path: Path) -> None:
    store, file = FileStore(tmp_path, 100), shared(Path("/elsewhere/ink.safetensors"), b"ink")
    fetched = store.find(file, lambda _file: [b"ink"])
    before = fetched.stat().st_mtime_ns
    assert store.find(file, never).stat().st_mtime_ns == before


def test_other_bytes_than_promised_are_refused_and_not_kept(tmp_path: Path) -> None:
    store = FileStore(tmp_path, 100)
    with pytest.raises(WrongHash, match=r"ink\.safetensors is not the file"):
        store.find(shared(Path("/elsewhere/ink.safetensors"), b"ink"), lambda _file: [b"oil"])
    assert list(tmp_path.iterdir()) == []


def test_files_used_longest_ago_make_room(tmp_path: Path) -> None:
    store = FileStore(tmp_path, 25)
    one, two, three = (shared(Path(f"/{data!r}.safetensors"), data) for data in (b"1" * 10, b"2" * 10, b"3" * 10))
    store.find(one, lambda _file: [b"1" * 10])
    store.find(two, lambda _file: [b"2" * 10])
    store.find(one, never)
    store.find(three, lambda _file: [b"3" * 10])
    assert {path.read_bytes()[:1] for path in tmp_path.iterdir()} == {b"1", b"3"}


def test_chunks_are_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(9_000_000))
    assert [len(chunk) for chunk in read_chunks(str(tmp_path / "large"))] == [8_000_000, 1_000_000]
