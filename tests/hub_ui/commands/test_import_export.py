"""hub-ui import and export on the local hubs: files told by their bytes, and files that other programs read."""

import ast
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from PIL import Image

from connectors.ref import Ref
from hub_ui.commands.import_export import snippet
from hub_ui.demo.hubs.folder import SAMPLES, generate_safetensors
from hub_ui.generate import base_models
from hub_ui.generate.base_models import PipelineSpec, choose_base
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.identify import digests
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.building import entry, sha256, weights
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, REPLICATE, Line, answering, copied, edited
from tests.hub_ui.library.upkeep.test_identify import noted
from tests.programs import python


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


def write_lora(path: Path, seed: int) -> bytes:
    content = generate_safetensors({"tensors": {"lora_unet_a.lora_up.weight": ["F16", [400, 4]]}, "seed": seed})
    path.write_bytes(data := content.read(0, content.size))
    return data


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
    code, out = line.words("import", str(mine), "--lock", str(tmp_path / "loras.lock"))
    assert code == 0
    assert f"recognised  styles/red old name.safetensors  Red Style  {CIVITAI}  (catalog)\n" in out
    assert out.endswith(f"1 entry added to {tmp_path / 'loras.lock'}.\n")


def test_import_keeps_what_is_identified_before_a_rate_limit(mine: Path, line: Line, hubs: HubEndpoints) -> None:
    (mine / "styles").rename(mine / "a")
    own = sha256(write_lora(mine / "own.safetensors", seed=3)).upper()
    hubs.faults.add(Fault(kind="status", status=429, retry_after=60, hub="civitai", match=own))
    code, document = line("import", str(mine), "--library", str(mine))
    assert (code, document["entered"]) == (6, 1)
    assert [item["state"] for item in document["files"]] == ["recognised", "unread", "not asked"]
    assert document["files"][2]["message"].startswith("CivitAI asks to slow down. Try again in 60 seconds.")
    assert "no hub was asked about 1 file, so nothing was entered for them. Run this again later" in line.err
    hubs.faults.clear()
    code, document = line("import", str(mine), "--library", str(mine))
    assert (code, document["entered"], document["files"][2]["state"]) == (0, 1, "unknown")


def test_an_edited_copy_is_entered_as_ones_own(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.skipif(sys.platform != "linux", reason="no other system has such names")
def test_names_that_a_lock_file_cannot_hold_are_told_and_the_others_are_added(mine: Path, line: Line) -> None:
    red = mine / "styles" / "red old name.safetensors"
    for name in (b"bad\xff.safetensors", b"con.safetensors"):
        shutil.copy(red, os.path.join(os.fsencode(mine), name).decode(errors="surrogateescape"))
    assert line.words("import", str(mine), "--library", str(mine))[1].endswith(f"1 entry added to {mine}/loras.lock.\n")
    for told_name in ("bad.safetensors", "con.safetensors"):
        assert f"{told_name} was not entered, because not every system can have a file of this name. Rename" in line.err
    assert line("verify", "--library", str(mine))[1]["ok"] is True


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' disks take both names for one file")
def test_import_names_files_that_differ_by_case_alone(line: Line, tmp_path: Path) -> None:
    write_lora(tmp_path / "Ink.safetensors", seed=1)
    write_lora(tmp_path / "ink.safetensors", seed=2)
    code, document = line("import", str(tmp_path), "--offline", "--lock", str(tmp_path / "loras.lock"))
    upper, lower = document["files"]
    assert (code, document["entered"], upper["entered"], lower["entered"]) == (0, 1, True, False)
    assert lower["message"].startswith("ink.safetensors was not entered, because its name differs from Ink.safetensors")
    line.words("import", str(tmp_path), "--offline", "--lock", str(tmp_path / "other.lock"))
    assert "by case alone, and many disks can't hold both. Rename it" in line.err


def test_a_name_that_leaves_no_room_for_a_longer_one_costs_its_files_only(red: Path, line: Line, folder: Path) -> None:
    long = folder / f"{'x' * 243}.safetensors"
    shutil.copy(red, long)
    lock = folder / "loras.lock"
    lock.write_text(lock.read_text().replace(red.relative_to(folder).as_posix(), long.name))
    assert (line("export", "--for", "comfyui")[0], "Shorten it first: hub-ui move" in line.err) == (0, True)


def test_a_folder_that_is_not_there_is_a_usage_error(line: Line, tmp_path: Path) -> None:
    code, document = line("import", str(tmp_path / "none"))
    assert (code, document["error"]) == (2, "UsageError")
    assert json.dumps(document).count("none") == 1


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


def test_a_folder_that_cannot_be_written_is_the_one_of_out(red: Path, line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "notes"
    code, document = line("export", "--for", "comfyui", "--out", str(out))
    assert (code, document["message"].startswith(f"The folder {out} can't be written")) == (1, True)
    assert document["message"].endswith("choose another folder with --out.")


def test_someone_elses_notes_stay_unless_forced_and_a_missing_file_gets_none(red: Path, line: Line) -> None:
    red.with_suffix(".json").write_text("mine")
    assert line("export", "--for", "a1111")[1]["files"][0]["state"] == "kept"
    assert red.with_suffix(".json").read_text() == "mine"
    assert line("export", "--for", "a1111", "--force")[1]["files"][0]["state"] == "written"
    red.unlink()
    code, document = line("export", "--for", "a1111")
    assert (code, document["files"], document["missing"]) == (0, [], [CIVITAI])


def test_without_the_hub_the_words_are_written_all_the_same(red: Path, hubs: HubEndpoints, line: Line) -> None:
    hubs.faults.add(Fault(kind="status", status=503, match="/pictures/"))
    code, document = line("export", "--for", "a1111")
    assert (code, [Path(done["file"]).suffix for done in document["files"]]) == (0, [".json"])


def test_removing_a_lora_takes_what_was_written_for_it_but_for_what_someone_changed(red: Path, line: Line) -> None:
    line("export", "--for", "a1111")
    line("export", "--for", "comfyui")
    red.with_suffix(".json").write_text("mine")
    assert line("remove", CIVITAI)[0] == 0
    assert list(red.parent.iterdir()) == [red.with_suffix(".json")]


def test_the_python_file_pins_every_lora(hubs: HubEndpoints, line: Line, tmp_path: Path) -> None:
    line("pull", CIVITAI, HUGGINGFACE, REPLICATE)
    code, document = line("export", "--for", "diffusers", "--out", str(tmp_path))
    written = (tmp_path / "loras_diffusers.py").read_text()
    assert (code, written) == (0, document["snippet"])
    assert f"'maker/history', revision='{'2' * 40}', weight_name='lora.safetensors'" in written
    assert line.words("export", "--for", "diffusers")[1] == written


def test_a_base_without_a_pin_is_pinned_at_the_commit_it_is_at(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = replace(base_models.choose_base("flux1", "flux.1-dev", None), revision=None)
    monkeypatch.setattr(base_models, "choose_base", lambda *_asked: dev)
    # In the cache that all tests share, this file would count as a download of the base.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    data = copied(tmp_path / "data")
    (data / "hf_commits_maker__history.json").rename(data / "hf_commits_black-forest-labs__FLUX.1-dev.json")
    with answering(data, monkeypatch):
        line("pull", "hf:black-forest-labs/FLUX.1-dev")
        snippet = line("export", "--for", "diffusers")[1]["snippet"]
    assert f"from_pretrained('black-forest-labs/FLUX.1-dev', revision='{'2' * 40}'" in snippet


@pytest.mark.exact
def test_the_python_file_draws(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copytree(SAMPLES, tmp_path / "data", dirs_exist_ok=True)
    with answering(tmp_path / "data", monkeypatch):
        line("pull", "hf:shapeworks/ink-outline-tiny", "hf:hatbox/top-hat-tiny")
        line("export", "--for", "diffusers", "--out", str(tmp_path))
        done = python("loras_diffusers.py", cwd=tmp_path, check=False, HF_HOME=str(tmp_path / "hf"))
    assert (done.returncode, done.stdout) == (0, "tiny_shapes.png\n"), done.stderr
    with Image.open(tmp_path / "tiny_shapes.png") as picture:
        assert picture.size == (128, 128)


HF = entry(ref=Ref.parse("huggingface:ada/ink@" + "1" * 40 + "#sub/ink.safetensors"), title="Ink", weight=0.5)
BASE = replace(choose_base("sdxl", None, "sdxl-1.0"), source="owner/base", revision=None, scheduler=None)


def written(*entries: Entry, base: PipelineSpec | None = BASE) -> str:
    return snippet(entries, lambda entry: Path("/loras") / entry.file, lambda entry: base)


@pytest.mark.parametrize(
    ("entries", "base", "said"),
    [
        ([HF], {}, f"'ada/ink', revision='{'1' * 40}', weight_name='sub/ink.safetensors', adapter_name='ink'\n"),
        ([HF], {}, "pipeline.set_adapters(['ink'], adapter_weights=[0.5])"),
        ([HF, entry(title="INK"), entry(title="1.2")], {}, "['ink', 'ink_2', 'lora_1_2']"),
        (
            [entry(trigger_words=("ink", "b")), entry(trigger_words=("it's red",))], {},
            '"ink, it\'s red, a lighthouse by the sea"',
        ),
        (
            [HF], {"scheduler": "EulerDiscreteScheduler"},
            "pipeline.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipeline.scheduler.config)",
        ),
        ([HF], {"revision": "3" * 40}, f"from_pretrained('owner/base', revision='{'3' * 40}', torch_dtype=DTYPE)"),
        ([HF], {}, "from_pretrained('owner/base', torch_dtype=DTYPE)"),
        (
            [HF], {"steps": 4, "guidance": 1.5, "width": 512, "height": 768},
            "{'num_inference_steps': 4, 'guidance_scale': 1.5, 'width': 512, 'height': 768}\n",
        ),
    ],
    ids=["at its commit", "its weight", "names", "a word of each", "scheduler", "pin", "no pin", "the base's settings"],
)  # fmt: skip
def test_the_script_loads_what_is_pinned_on_its_base(entries: list[Entry], base: dict[str, Any], said: str) -> None:
    assert said in written(*entries, base=replace(BASE, **base))


@pytest.mark.parametrize("fields", [{}, {"ref": Ref.parse("replicate:ada/ink@" + "b" * 64)}])
def test_a_lora_of_another_hub_is_loaded_from_the_library(fields: dict[str, Ref]) -> None:
    code = written(entry(**fields))
    assert "'/loras/sd1/ada', weight_name='Ink lines-2001.safetensors', adapter_name='ink_lines'" in code
    assert "# sha256 " + "a" * 64 in code


def test_what_has_no_base_is_named_in_a_comment() -> None:
    code = written(entry(title="Odd"), base=None)
    assert "# Left out, since no pipeline of this script runs its base model: Odd: civitai:1001@2001#3001\n" in code
    ast.parse(code)


@pytest.mark.parametrize("title", ["a\nimport os", "a\r\nimport os", 'a"""\nimport os', "a\x0cimport os", "", "'"])
def test_no_title_becomes_code(title: str) -> None:
    hostile = entry(title=title, file="a'b/c\".safetensors", trigger_words=('"""\nimport os',))
    tree = ast.parse(written(hostile))
    imports = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert imports == ["sys", "diffusers", "torch"]
