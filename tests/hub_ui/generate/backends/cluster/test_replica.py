"""What a request is called by: the content of its LoRAs, which is what replicas hold."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import WrongHash
from connectors.ref import Ref
from hub_ui.generate.backends.cluster.replica import FileStore, SharedFile, WorkOrder, read_chunks
from hub_ui.generate.compare import comparison
from hub_ui.generate.request import GenerationRequest, LoraInput

INK, PAPER = "a" * 64, "b" * 64


def order(*hashes: str, base: str | None = None) -> WorkOrder:
    files = tuple(SharedFile(path=Path(sha256), sha256=sha256, node="page") for sha256 in hashes)
    loras = tuple(
        LoraInput(ref=Ref.parse("civitai:1@2#3"), path=Path(sha256), title="Ink", architecture="sd1")
        for sha256 in hashes
    )
    request = GenerationRequest(adapters=loras, prompt="a cat", base=base)
    sketch = SharedFile(path=Path("sketch.png"), sha256="c" * 64, node="page")
    return WorkOrder(request=request, comparison=comparison.single(request), files=(*files, sketch))


def test_a_lora_is_called_by_its_bytes_several_by_their_set_and_none_by_its_base() -> None:
    assert order(INK).model_id == INK
    assert order(INK, PAPER).model_id == order(PAPER, INK).model_id
    assert order(INK, PAPER).model_id not in (INK, PAPER)
    assert order(base="sdxl-1.0").model_id == order(base="sdxl-1.0").model_id
    assert order(base="sdxl-1.0").model_id != order(base="flux.1-dev").model_id


def shared(path: Path, data: bytes) -> SharedFile:
    return SharedFile(path=path, sha256=hashlib.sha256(data).hexdigest(), node="page")


def never(_file: SharedFile) -> Iterator[bytes]:
    raise AssertionError("it was read again")


def test_a_file_in_a_shared_folder_is_read_there_and_chunks_are_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "ink.safetensors").write_bytes(b"ink")
    store = FileStore(tmp_path / "store", 100)
    assert store.find(shared(tmp_path / "ink.safetensors", b"ink"), never) == tmp_path / "ink.safetensors"
    (tmp_path / "large").write_bytes(bytes(9_000_000))
    assert [len(chunk) for chunk in read_chunks(str(tmp_path / "large"))] == [8_000_000, 1_000_000]


def test_a_file_of_another_computer_is_fetched_once_and_use_leaves_its_time_of_change(tmp_path: Path) -> None:
    store, file = FileStore(tmp_path, 100), shared(Path("/elsewhere/ink.safetensors"), b"ink")
    fetched = store.find(file, lambda _file: [b"i", b"nk"])
    assert (fetched.name, fetched.read_bytes()) == (f"{file.sha256}.safetensors", b"ink")
    assert store.find(file, never) == fetched
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
