from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub_ui.library.export.write import Exporter, Sidecar, as_json, drop
from hub_ui.library.library import Library
from tests.hub_ui.library.building import entry

JSON = Sidecar(entry=entry(file="sd1/ink.safetensors"), suffix=".json", data=b"{}")
PICTURE = Sidecar(entry=entry(file="sd1/ink.safetensors"), suffix=".png", data=b"\x89PNG")


def write(library: Library, *sidecars: Sidecar, force: bool = False, out: Path | None = None) -> list[str]:
    exporter = Exporter(library.folder, out or library.folder, force=force)
    return [done.state for done in exporter.write(sidecars)]


@pytest.fixture
def beside(library: Library) -> Path:
    (library.folder / "sd1").mkdir(parents=True)
    return library.folder / "sd1" / "ink.json"


def test_a_sidecar_lands_beside_the_weight_file(library: Library, beside: Path) -> None:
    assert write(library, JSON) == ["written"]
    assert beside.read_bytes() == b"{}"


def test_what_was_written_before_is_written_anew(library: Library, beside: Path) -> None:
    write(library, JSON)
    newer = Sidecar(entry=JSON.entry, suffix=".json", data=b"{1}")
    assert [*write(library, JSON), *write(library, newer)] == ["same", "written"]


def test_a_file_of_someone_else_stays(library: Library, beside: Path) -> None:
    beside.write_bytes(b"mine")
    assert write(library, JSON) == ["kept"]
    assert beside.read_bytes() == b"mine"


def test_what_someone_changed_since_stays_too(library: Library, beside: Path) -> None:
    write(library, JSON)
    beside.write_bytes(b"mine")
    newer = Sidecar(entry=JSON.entry, suffix=".json", data=b"{1}")
    assert write(library, newer) == ["kept"]


def test_force_overwrites(library: Library, beside: Path) -> None:
    beside.write_bytes(b"mine")
    assert write(library, JSON, force=True) == ["written"]


def test_a_lost_listing_makes_everything_someone_elses(library: Library, beside: Path) -> None:
    write(library, JSON)
    (library.folder / ".hub-ui" / "exported.json").write_text("[")
    assert write(library, Sidecar(entry=JSON.entry, suffix=".json", data=b"{1}")) == ["kept"]


@pytest.mark.parametrize("name", ["ink.preview.png", "ink.jpg", "ink.webp"])
def test_a_image_someone_chose_is_not_joined_by_another(library: Library, beside: Path, name: str) -> None:
    beside.with_name(name).write_bytes(b"mine")
    assert write(library, PICTURE) == ["kept"]
    assert not beside.with_name("ink.png").exists()


def test_another_folder_gets_the_same_tree(library: Library, tmp_path: Path) -> None:
    assert write(library, JSON, PICTURE, out=tmp_path / "out") == ["written", "written"]
    assert (tmp_path / "out" / "sd1" / "ink.png").exists()
    assert list(library.folder.rglob("*.json")) == [library.folder / ".hub-ui" / "exported.json"]


def test_json_is_written_for_people_too() -> None:
    assert as_json({"a": "é\ud800"}) == '{\n  "a": "é?"\n}\n'.encode()


SHARED = Sidecar(
    entry=JSON.entry,
    suffix=".metadata.json",
    data=as_json({"sha256": "a" * 64, "notes": "ours", "tags": ["ink"], "civitai": {"id": 2, "name": "v1"}, "size": 3}),
    facts=frozenset({"sha256", "size"}),
)


def rewritten(beside: Path, **values: object) -> Path:
    path = beside.with_name("ink.metadata.json")
    path.write_bytes(as_json(values))
    return path


def test_what_another_program_wrote_anew_is_filled_in_and_stays_its_own(library: Library, beside: Path) -> None:
    write(library, SHARED)
    theirs = {"sha256": "a" * 64, "notes": "mine", "tags": [], "favorite": False, "civitai": {"id": 7}, "size": 0}
    path = rewritten(beside, **theirs)
    assert write(library, SHARED) == ["merged"]
    assert json.loads(path.read_text()) == {
        "sha256": "a" * 64, "notes": "mine", "tags": ["ink"], "favorite": False, "civitai": {"id": 7, "name": "v1"},
        "size": 3,
    }  # fmt: skip
    assert write(library, SHARED) == ["same"]
    assert drop(library.folder, SHARED.entry) == ()


@pytest.mark.parametrize("values", [{"sha256": "b" * 64}, {}])
def test_what_is_about_another_file_stays(values: dict[str, str], library: Library, beside: Path) -> None:
    path = rewritten(beside, **values)
    before = path.read_bytes()
    assert (write(library, SHARED), path.read_bytes()) == (["kept"], before)


def test_what_is_no_json_object_stays(library: Library, beside: Path) -> None:
    beside.with_name("ink.metadata.json").write_bytes(b"[1")
    assert write(library, SHARED) == ["kept"]
