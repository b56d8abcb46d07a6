"""hub-ui export on the local hubs: the files other programs read, and a Python file that generates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from PIL import Image

from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.generate import base_models
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, REPLICATE, Line, answering, copied


@pytest.fixture
def red(hubs: HubEndpoints, line: Line) -> Path:
    """The weight file of CivitAI's red style."""
    return Path(line("pull", CIVITAI)[1]["path"])


def test_a1111_finds_its_notes_and_a_picture(red: Path, line: Line) -> None:
    code, document = line("export", "--for", "a1111")
    assert (code, [done["state"] for done in document["files"]]) == (0, ["written", "written"])
    notes = json.loads(red.with_suffix(".json").read_text())
    assert (notes["activation text"], notes["preferred weight"], notes["sd version"]) == ("redstyle", 0.8, "SDXL")
    with Image.open(red.with_suffix(".png")) as picture:
        assert picture.size == (64, 64)


def test_the_lora_manager_finds_its_metadata(red: Path, line: Line) -> None:
    assert line("export", "--for", "comfyui", CIVITAI)[0] == 0
    metadata = json.loads(red.with_suffix(".metadata.json").read_text())
    assert (metadata["civitai"]["id"], metadata["base_model"]) == (2001, "SDXL 1.0")
    assert Path(metadata["preview_url"]).read_bytes()[:4] == b"\x89PNG"


def test_metadata_that_the_lora_manager_wrote_anew_is_no_stranger_s(red: Path, line: Line) -> None:
    line("export", "--for", "comfyui")
    path = red.with_suffix(".metadata.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "favorite": True, "notes": ""}))
    code, document = line("export", "--for", "comfyui")
    assert (code, [done["state"] for done in document["files"]]) == (0, ["merged", "same"])
    metadata = json.loads(path.read_text())
    assert (metadata["favorite"], metadata["notes"].splitlines()[0]) == (True, CIVITAI)


def test_a_folder_that_cannot_be_written_is_the_one_of_out(red: Path, line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "notes"
    code, document = line("export", "--for", "comfyui", "--out", str(out))
    assert (code, document["message"].startswith(f"The folder {out} can't be written")) == (1, True)
    assert document["message"].endswith("choose another folder with --out.")


def test_a_second_export_changes_nothing(red: Path, line: Line) -> None:
    line("export", "--for", "a1111")
    assert {done["state"] for done in line("export", "--for", "a1111")[1]["files"]} == {"same"}


def test_someone_elses_notes_stay_unless_forced(red: Path, line: Line) -> None:
    red.with_suffix(".json").write_text("mine")
    assert line("export", "--for", "a1111")[1]["files"][0]["state"] == "kept"
    assert red.with_suffix(".json").read_text() == "mine"
    assert line("export", "--for", "a1111", "--force")[1]["files"][0]["state"] == "written"


def test_another_folder_may_be_named(red: Path, line: Line, home: Path, tmp_path: Path) -> None:
    line("export", "--for", "a1111", "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / red.relative_to(home / "loras")).with_suffix(".json").exists()
    assert not red.with_suffix(".json").exists()


def test_without_the_hub_the_words_are_written_all_the_same(red: Path, hubs: HubEndpoints, line: Line) -> None:
    hubs.faults.add(Fault(kind="status", status=503, match="/pictures/"))
    code, document = line("export", "--for", "a1111")
    assert (code, [Path(done["file"]).suffix for done in document["files"]]) == (0, [".json"])


def test_nothing_is_written_for_a_file_that_is_missing(red: Path, line: Line) -> None:
    red.unlink()
    code, document = line("export", "--for", "a1111")
    assert (code, document["files"], document["missing"]) == (0, [], [CIVITAI])


def test_what_is_exported_is_not_foreign(red: Path, line: Line) -> None:
    line("export", "--for", "a1111")
    line("export", "--for", "comfyui")
    assert line("verify")[1]["foreign"] == []


def test_removing_a_lora_takes_what_was_written_for_it(red: Path, line: Line, home: Path) -> None:
    line("export", "--for", "a1111")
    line("export", "--for", "comfyui")
    assert line("remove", CIVITAI)[0] == 0
    left = [path for path in (home / "loras").rglob("*.*n") if ".trash" not in path.parts]
    assert left == [home / "loras" / ".hub-ui" / "exported.json"]
    assert not red.parent.exists()


def test_removing_a_lora_leaves_what_someone_changed(red: Path, line: Line) -> None:
    line("export", "--for", "a1111")
    red.with_suffix(".json").write_text("mine")
    line("remove", CIVITAI)
    assert list(red.parent.iterdir()) == [red.with_suffix(".json")]


def test_a_program_nobody_knows_is_a_usage_error(line: Line) -> None:
    assert line("export", "--for", "paint")[0] == 2


def test_the_python_file_pins_every_lora(hubs: HubEndpoints, line: Line, tmp_path: Path) -> None:
    line("pull", CIVITAI, HUGGINGFACE, REPLICATE)
    code, document = line("export", "--for", "diffusers", "--out", str(tmp_path))
    written = (tmp_path / "loras_diffusers.py").read_text()
    assert (code, written) == (0, document["snippet"])
    assert f"'maker/history', revision='{'2' * 40}', weight_name='lora.safetensors'" in written
    assert line.words("export", "--for", "diffusers")[1] == written


def test_a_lora_that_runs_on_no_base_is_only_named(line: Line, home: Path) -> None:
    line("pull", HUGGINGFACE)
    lock = home / "loras" / "loras.lock"
    lock.write_text(lock.read_text().replace('base_model = "flux.1-dev"', 'base_model = "flex.1"'))
    code, document = line("export", "--for", "diffusers")
    assert code == 0
    assert "# No base model is known for" in document["snippet"]
    assert "from_pretrained" not in document["snippet"]


def test_the_base_is_pinned_at_the_commit_that_previews_use(line: Line) -> None:
    line("pull", HUGGINGFACE)
    snippet = line("export", "--for", "diffusers")[1]["snippet"]
    revision = "3de623fc3c33e44ffbe2bad470d0f45bccf2eb21"
    assert f"from_pretrained('black-forest-labs/FLUX.1-dev', revision='{revision}'" in snippet


def test_a_base_without_a_pin_is_pinned_at_the_commit_it_is_at(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = replace(base_models.choose_base("flux1", "flux.1-dev", None), revision=None)
    monkeypatch.setattr(base_models, "choose_base", lambda *_asked: dev)
    data = copied(tmp_path / "data")
    (data / "hf_commits_maker__history.json").rename(data / "hf_commits_black-forest-labs__FLUX.1-dev.json")
    with answering(data, monkeypatch):
        line("pull", "hf:black-forest-labs/FLUX.1-dev")
        snippet = line("export", "--for", "diffusers")[1]["snippet"]
    assert f"from_pretrained('black-forest-labs/FLUX.1-dev', revision='{'2' * 40}'" in snippet


def test_the_python_file_draws(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copytree(SAMPLES, tmp_path / "data", dirs_exist_ok=True)
    with answering(tmp_path / "data", monkeypatch):
        line("pull", "hf:shapeworks/ink-outline-tiny", "hf:hatbox/top-hat-tiny")
        line("export", "--for", "diffusers", "--out", str(tmp_path))
        done = subprocess.run(
            [sys.executable, "loras_diffusers.py"],
            cwd=tmp_path,
            env={**os.environ, "HF_HOME": str(tmp_path / "hf")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "tiny_shapes.png\n"), done.stderr
    with Image.open(tmp_path / "tiny_shapes.png") as picture:
        assert picture.size == (128, 128)
