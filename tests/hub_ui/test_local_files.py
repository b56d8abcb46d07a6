"""Files that no hub is known to have, through every command of the library."""

import os
from pathlib import Path
from typing import Any

import pytest

from connectors.ref import Ref
from hub_ui import settings
from hub_ui.app import services
from hub_ui.commands import cli
from hub_ui.demo.hubs.folder import generate_safetensors
from hub_ui.library import lockfile
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.building import weights
from tests.hub_ui.library.shared_hubs import CIVITAI, Line

_UP = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
_NOTES = {"modelspec.trigger_phrase": "sks robot"}
_LAYER = {f"{_UP}.lora_down.weight": ["F16", [4, 2048]], f"{_UP}.lora_up.weight": ["F16", [640, 4]]}


def lora_bytes(seed: int = 1) -> bytes:
    file = generate_safetensors({"tensors": _LAYER, "metadata": _NOTES, "seed": seed})
    return file.read(0, file.size)


@pytest.fixture
def robot(home: Path) -> Path:
    """A LoRA of one's own in the library folder, without an entry yet."""
    path = home / "loras" / "mine" / "My Robot v1.5.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(lora_bytes())
    return path


@pytest.fixture
def entered(robot: Path, hubs: HubEndpoints, line: Line, home: Path) -> str:
    """Its ref, after it was imported."""
    code, document = line("import", str(home / "loras"))
    assert (code, document["entered"]) == (0, 1)
    return str(document["files"][0]["ref"])


def only(document: Any) -> Any:
    [entry] = document["entries"]
    return entry


def test_import_enters_a_lora_that_no_hub_knows_under_its_own_hash(entered: str, home: Path, line: Line) -> None:
    [entry] = lockfile.loads((home / "loras" / "loras.lock").read_text())
    assert entered == str(entry.ref) == f"local:My Robot v1.5@{entry.sha256}"
    assert (entry.title, entry.file) == ("My Robot v1.5", "mine/My Robot v1.5.safetensors")
    assert (entry.architecture, entry.trigger_words, entry.license) == ("sdxl", ("sks robot",), None)
    assert "source" not in (home / "loras" / "loras.lock").read_text()
    assert line("import", str(home / "loras"))[1]["files"][0]["state"] == "held"


def test_what_is_no_lora_for_pictures_gets_no_entry(hubs: HubEndpoints, line: Line, home: Path) -> None:
    (home / "loras").mkdir(parents=True)
    (home / "loras" / "vae.safetensors").write_bytes(weights())
    code, document = line("import", str(home / "loras"))
    assert (code, document["entered"], document["files"][0]["ref"]) == (0, 0, None)


def test_verify_sync_outdated_licenses_and_search_take_it_as_it_is(entered: str, line: Line) -> None:
    assert only(line("verify")[1])["state"] == "right"
    code, document = line("sync", "--frozen")
    assert (code, only(document)["state"]) == (0, "kept")
    # Nobody can tell.
    code, document = line("outdated")
    assert (code, only(document)["state"]) == (0, "unknown")
    assert only(document)["note"] == "No hub is known to have this file, so nobody tells of newer versions."
    # No licence is no permission.
    code, document = line("licenses")
    assert (code, only(document)["license"], document["together"]["sell"]["answer"]) == (0, None, "unknown")
    # It is never listed.
    line("show", entered)
    assert line("search", "Robot", "--offline")[1]["results"] == []


def test_sync_leaves_what_changed_and_says_that_nobody_can_bring_it(entered: str, robot: Path, line: Line) -> None:
    robot.write_bytes(lora_bytes(seed=2))
    code, document = line("sync")
    assert (code, only(document)["error"], robot.read_bytes()) == (7, "WrongHash", lora_bytes(seed=2))
    assert only(document)["message"].endswith("If it is meant to be so, enter it anew with hub-ui import.")
    robot.unlink()
    code, document = line("sync")
    assert (code, only(document)["error"]) == (4, "NotFound")
    assert "no hub is known to have it. Put the file with sha256" in only(document)["message"]
    assert only(document)["message"].endswith("--keep-file")


def test_a_file_that_was_trained_anew_is_entered_anew(entered: str, robot: Path, line: Line, home: Path) -> None:
    robot.write_bytes(lora_bytes(seed=2))
    assert line("import", str(home / "loras"))[1]["entered"] == 1
    [entry] = lockfile.loads((home / "loras" / "loras.lock").read_text())
    assert str(entry.ref) != entered
    assert line("verify")[0] == 0


def test_what_a_hub_turns_out_to_have_becomes_that_hubs(hubs: HubEndpoints, line: Line, home: Path) -> None:
    path = Path(line("pull", CIVITAI)[1]["path"])
    lock = home / "loras" / "loras.lock"
    text, sha256 = lock.read_text(), lockfile.loads(lock.read_text())[0].sha256
    lines = [row for row in text.replace(CIVITAI, f"local:mine@{sha256}").splitlines() if not row.startswith("source")]
    lock.write_text("\n".join(lines))
    code, document = line("import", str(path.parent))
    assert (code, document["entered"], document["files"][0]["ref"]) == (0, 1, CIVITAI)
    assert [str(entry.ref) for entry in lockfile.loads(lock.read_text())] == [CIVITAI]


def test_show_and_inspect_take_its_name_and_what_its_lock_file_says(entered: str, line: Line, home: Path) -> None:
    code, shown = line("show", "local:My Robot v1.5")
    assert (code, shown["ref"], shown["hub"], shown["base_model"]) == (0, entered, "local", None)
    assert (shown["architecture"], shown["trigger_words"]) == ("sdxl", ["sks robot"])
    assert line("inspect", entered)[1]["architecture"] == "sdxl"
    lock = home / "loras" / "loras.lock"
    lock.write_text(lock.read_text() + 'license = "mine alone"\nweight = 0.4\n')
    _, shown = line("show", entered)
    assert shown["license"] == "mine alone"
    with services.build(settings.from_environment(os.environ)) as built:
        assert built.generation.default_weight(Ref.parse(entered)) == 0.4


def test_export_writes_for_it_too(entered: str, line: Line) -> None:
    for tool in ("a1111", "comfyui", "diffusers"):
        code, document = line("export", "--for", tool)
        assert code == 0
        assert tool == "diffusers" or [file["state"] for file in document["files"]] == ["written"]


def test_remove_asks_before_the_only_copy_is_deleted(entered: str, robot: Path, line: Line, home: Path) -> None:
    code, refused = line("remove", entered)
    assert (code, refused["error"], robot.exists()) == (2, "UsageError", True)
    assert (line("remove", entered, "--keep-file")[0], robot.exists()) == (0, True)
    line("import", str(home / "loras"))
    assert (line("remove", "local:My Robot v1.5", "--yes")[0], robot.exists()) == (0, False)


def test_pull_finds_it_by_name_and_hash_and_says_what_became_of_it(entered: str, robot: Path, line: Line) -> None:
    renamed = entered.replace("My Robot v1.5", "its old name")
    for ref in ("local:My Robot v1.5", entered, renamed):
        code, item = line("pull", ref)
        assert (code, item["ref"], item["path"], item["source"]) == (0, entered, str(robot), None)
    robot.write_bytes(lora_bytes(seed=2))
    assert line("pull", "local:My Robot v1.5")[1]["error"] == "WrongHash"
    robot.unlink()
    assert line("pull", "local:My Robot v1.5")[1]["error"] == "NotFound"


def test_a_folder_elsewhere_is_named_a_lock_file_and_a_ref_of_another_disk_how_to_have_it(
    hubs: HubEndpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: Line
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "robot.safetensors").write_bytes(lora_bytes())
    assert cli.main(["import", str(tmp_path / "mine")]) == 0
    assert "name a lock file for the folder to have entries: --lock FILE" in capsys.readouterr().err
    code, refused = line("pull", "local:far@" + "c" * 64)
    assert (code, refused["error"]) == (4, "NotFound")
    assert "no hub is known to have it, and this library doesn't. Put it below" in refused["message"]


def test_a_path_where_only_a_ref_will_do_is_a_usage_error(entered: str, robot: Path, line: Line) -> None:
    for command in ("pull", "show", "remove", "export --for comfyui"):
        code, refused = line(*command.split(), str(robot))
        assert (code, refused["error"]) == (2, "BadRef")
        assert "is on this computer, and a REF is wanted here." in refused["message"]


def test_a_bare_owner_and_name_is_of_hugging_face_but_a_folder_wins_over_the_repo(
    tmp_path: Path, hubs: HubEndpoints, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, item = line("pull", "maker/history")
    assert (code, item["ref"].split("@")[0]) == (0, "huggingface:maker/history")
    (tmp_path / "maker" / "history").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    code, refused = line("pull", "maker/history")
    assert (code, refused["error"]) == (2, "BadRef")
    assert refused["message"].startswith("maker/history is a folder here. For the repo of that name on")
