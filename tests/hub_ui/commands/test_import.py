"""hub-ui import on the local hubs: files told by their bytes, and folders left as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hub_ui.library import lockfile
from hub_ui.library.identify import digests
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.building import weights
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, Line, answering, copied, edited
from tests.hub_ui.library.test_identify import noted


@pytest.fixture
def mine(hubs: HubEndpoints, line: Line, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of someone's own: a LoRA of CivitAI's, one that nobody knows, and an older format. Its home is new."""
    [item] = [line("pull", CIVITAI)[1]]
    folder = tmp_path / "ComfyUI" / "loras"
    (folder / "styles").mkdir(parents=True)
    shutil.copy(item["path"], folder / "styles" / "red old name.safetensors")
    (folder / "own.safetensors").write_bytes(weights())
    (folder / "old.ckpt").write_bytes(b"\x80\x02")
    monkeypatch.setenv("HUB_UI_HOME", str(tmp_path / "fresh"))
    return folder


def told(document: Any) -> dict[str, tuple[str, str | None]]:
    return {item["path"]: (item["state"], item["ref"]) for item in document["files"]}


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_told_by_their_bytes_and_the_folder_is_left_alone(mine: Path, line: Line) -> None:
    before = contents(mine)
    code, document = line("import", str(mine))
    assert (code, document["entered"], contents(mine)) == (0, 0, before)
    assert told(document) == {
        "old.ckpt": ("unread", None),
        "own.safetensors": ("unknown", None),
        "styles/red old name.safetensors": ("recognised", CIVITAI),
    }
    assert document["files"][1]["facts"]["what"] == "other"
    assert document["files"][2]["how"] == "SHA256"


def test_a_lock_file_is_written_where_one_is_named(mine: Path, line: Line, tmp_path: Path) -> None:
    before, lock = contents(mine), tmp_path / "made" / "loras.lock"
    code, document = line("import", str(mine), "--lock", str(lock))
    assert (code, document["entered"], contents(mine)) == (0, 1, before)
    [entry] = lockfile.loads(lock.read_text())
    assert (str(entry.ref), entry.file) == (CIVITAI, "styles/red old name.safetensors")
    assert (entry.title, entry.trigger_words, entry.base_model) == ("Red Style", ("redstyle",), "sdxl-1.0")
    assert entry.source.endswith("/api/download/models/2001?fileId=3001")
    assert list(lock.parent.iterdir()) == [lock]


def test_that_lock_file_verifies_and_rebuilds_the_folder(mine: Path, line: Line, tmp_path: Path) -> None:
    lock = str(tmp_path / "made" / "loras.lock")
    line("import", str(mine), "--lock", lock)
    assert line("verify", "--lock", lock, "--library", str(mine))[0] == 0
    assert line("sync", "--lock", lock, "--library", str(tmp_path / "new"))[0] == 0
    made = tmp_path / "new" / "styles" / "red old name.safetensors"
    assert made.read_bytes() == (mine / "styles" / "red old name.safetensors").read_bytes()


def test_a_second_import_holds_what_the_first_entered(mine: Path, line: Line, tmp_path: Path) -> None:
    lock = str(tmp_path / "loras.lock")
    line("import", str(mine), "--lock", lock)
    code, document = line("import", str(mine), "--lock", lock)
    assert (code, document["entered"]) == (0, 0)
    assert told(document)["styles/red old name.safetensors"] == ("held", CIVITAI)


def test_files_dropped_into_the_library_get_entries(hubs: HubEndpoints, line: Line, home: Path) -> None:
    path = Path(line("pull", CIVITAI)[1]["path"])
    (home / "loras" / "loras.lock").unlink()
    code, document = line("import", str(home / "loras"))
    assert (code, document["entered"]) == (0, 1)
    [entry] = lockfile.loads((home / "loras" / "loras.lock").read_text())
    assert home / "loras" / entry.file == path


def test_a_file_of_hugging_face_is_told_by_what_was_seen_of_it(hubs: HubEndpoints, line: Line, tmp_path: Path) -> None:
    item = line("pull", HUGGINGFACE)[1]
    Path(shutil.copy(item["path"], tmp_path / "else.safetensors"))
    (tmp_path / "mine").mkdir()
    shutil.move(tmp_path / "else.safetensors", tmp_path / "mine")
    lock = str(tmp_path / "loras.lock")
    code, document = line("import", str(tmp_path / "mine"), "--offline", "--lock", lock)
    assert (code, told(document)) == (0, {"else.safetensors": ("recognised", item["ref"])})
    assert document["files"][0]["how"] == "catalog"


def test_an_edited_copy_is_told_by_its_tensors_and_entered_as_ones_own(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = copied(tmp_path / "data")
    (tmp_path / "mine").mkdir()
    copy = tmp_path / "mine" / "copy.safetensors"
    with answering(data, monkeypatch):
        path = Path(line("pull", CIVITAI)[1]["path"])
    hashes = ("modelVersions", 0, "files", 0, "hashes")
    edited(data / "civitai_model_1001.json", *hashes, "AutoV3", value=digests(path).autov3)
    copy.write_bytes(noted(path.read_bytes(), note="mine"))
    with answering(data, monkeypatch):
        code, document = line("import", str(tmp_path / "mine"), "--lock", str(tmp_path / "loras.lock"))
    assert (code, document["entered"], told(document)) == (0, 1, {"copy.safetensors": ("edited", CIVITAI)})
    [entry] = lockfile.loads((tmp_path / "loras.lock").read_text())
    assert document["files"][0]["entry"] == str(entry.ref) == f"local:copy@{entry.sha256}"
    assert (entry.title, entry.base_model, entry.source) == ("Red Style", "sdxl-1.0", "")


def test_a_hub_that_is_down_is_told_and_the_rest_goes_on(mine: Path, hubs: HubEndpoints, line: Line) -> None:
    hubs.faults.add(Fault(kind="status", status=429, retry_after=60, match="by-hash"))
    code, document = line("import", str(mine))
    assert code == 6
    assert told(document)["styles/red old name.safetensors"] == ("unknown", None)
    assert document["files"][2]["facts"]["rank"] == 4


def test_people_get_a_table(mine: Path, line: Line, tmp_path: Path) -> None:
    code, out = line.words("import", str(mine), "--lock", str(tmp_path / "loras.lock"))
    assert code == 0
    assert f"recognised  styles/red old name.safetensors  Red Style  {CIVITAI}  (SHA256)\n" in out
    assert out.endswith(f"1 entry added to {tmp_path / 'loras.lock'}.\n")


def test_a_folder_that_is_not_there_is_a_usage_error(line: Line, tmp_path: Path) -> None:
    code, document = line("import", str(tmp_path / "none"))
    assert (code, document["error"]) == (2, "UsageError")
    assert json.dumps(document).count("none") == 1


def test_of_two_files_with_the_same_bytes_the_one_that_was_entered_is_told(mine: Path, line: Line) -> None:
    shutil.copy(mine / "styles" / "red old name.safetensors", mine / "another.safetensors")
    code, document = line("import", str(mine), "--lock", str(mine / "loras.lock"))
    entered = [item["path"] for item in document["files"] if item["entered"]]
    assert (code, document["entered"], entered) == (0, 1, ["another.safetensors"])
