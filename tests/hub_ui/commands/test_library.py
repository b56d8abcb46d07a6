"""pull, sync, outdated, duplicates and licenses, from the command line down to the local hubs."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from connectors.ref import Ref
from hub_ui import settings
from hub_ui.app import services
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.library import lockfile
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.commands.conftest import states
from tests.hub_ui.library import building
from tests.hub_ui.library.shared_hubs import CIVITAI, Line, answering, copied, edited


def test_a_lora_for_a_language_model_is_told_so(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = copied(tmp_path / "data")
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {f"{layer}.lora_A.weight": ["F16", [4, 32]], f"{layer}.lora_B.weight": ["F16", [32, 4]]}
    edited(data / "files.json", "civitai", "3001", "safetensors", value={"tensors": tensors})
    with answering(data, monkeypatch):
        assert line.run("pull", CIVITAI) == 0
        assert line.err == (
            f"{CIVITAI}: This is no LoRA for images or videos: it is a LoRA for a language model. "
            "It is in the library, and can't be tried here.\n"
        )


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    """The hubs of the demo, with a LoRA of two files on CivitAI and one on Hugging Face."""
    folder = tmp_path_factory.mktemp("samples")
    copytree(SAMPLES, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, answering(folder, patch) as on:
        yield on


@pytest.mark.usefixtures("samples")
@pytest.mark.parametrize("ref", ["hf:longwave/paper-boats-wan22", "civitai:708846"])
def test_a_wan_lora_in_two_files_is_pulled_and_used_as_one(ref: str, line: Line, folder: Path) -> None:
    code, item = line("pull", ref)
    pulled = [str(entry.ref) for entry in lockfile.loads((folder / "loras.lock").read_text())]
    assert (code, pulled) == (0, sorted([item["ref"], item["other_half"]["ref"]]))
    with services.build(settings.from_environment(os.environ)) as built:
        used = built.generation.inputs([Ref.parse(ref)], [0.7])
        given = built.generation.inputs([adapter.ref for adapter in used], [0.7, 0.6])
    assert [(str(one.ref), one.weight, one.follows) for one in used] == [
        (item["ref"], 0.7, False),
        (item["other_half"]["ref"], 0.7, True),
    ]
    assert [one.weight for one in given] == [0.7, 0.6]
    assert line("remove", ref)[1]["other_half"]["ref"] == item["other_half"]["ref"]
    assert lockfile.loads((folder / "loras.lock").read_text()) == ()


@pytest.mark.usefixtures("folder", "hubs")
def test_a_hash_a_tag_and_an_address_are_enough_to_search_show_and_pull(line: Line) -> None:
    shown = line("show", "Mine: https://civitai.com/models/1001?modelVersionId=2001")[1]
    sha256, name = shown["file"]["sha256"], shown["file"]["name"].removesuffix(".safetensors")
    assert [found["ref"] for found in line("search", sha256[:10], "--offline")[1]["results"]] == [CIVITAI]
    assert line("show", f"<lora:{name}:1>")[1]["ref"] == CIVITAI
    assert line("pull", f"sha256: {sha256.upper()}")[1]["ref"] == CIVITAI


@pytest.mark.usefixtures("folder", "hubs")
def test_a_hash_that_nobody_knows_and_an_address_elsewhere_say_so(line: Line) -> None:
    code, told = line("search", "0" * 64)
    assert (code, told["message"].partition("with the ")[2]) == (4, f"hash {'0' * 64}. Search for its title.")
    assert line("search", "https://example.org/models/1")[1]["error"] == "BadRef"


def test_another_home_rebuilds_the_same_library_from_the_lock_alone(
    pulled: dict[str, Path], line: Line, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_UI_HOME", str(tmp_path / "elsewhere"))
    lock = Path(shutil.copy(folder / "loras.lock", tmp_path / "team.lock"))
    text = lock.read_bytes()
    code, document = line("sync", "--lock", str(lock), "--library", str(tmp_path / "out"), "--frozen")
    assert (code, set(states(document).values())) == (0, {"fetched"})
    for path in pulled.values():
        assert (tmp_path / "out" / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert lock.read_bytes() == text


@pytest.mark.parametrize("command", ["sync", "verify", "outdated", "licenses", "remove civitai:1001"])
def test_without_a_lock_file_there_is_nothing_to_go_by(command: str, line: Line, home: Path) -> None:
    code, document = line(*command.split())
    assert (code, document["error"]) == (4, "NotFound")
    assert str(home / "loras" / "loras.lock") in document["message"]


def test_outdated_costs_entries_of_a_failing_hub_only(pulled: dict[str, Path], hubs: HubEndpoints, line: Line) -> None:
    hubs.faults.add(Fault(kind="status", status=429, retry_after=60, hub="huggingface"))
    code, document = line("outdated")
    assert (code, states(document)) == (6, {"civitai": "current", "huggingface": "failed", "replicate": "current"})


def test_rules_for_updates_are_made_listed_and_lifted(pulled: dict[str, Path], line: Line) -> None:
    assert line("outdated", "--ignore", "civitai:1001", "--ignore", "base:sdxl")[1]["rules"] == [
        {"rule": "base:sdxl", "kind": "base"}, {"rule": "civitai:1001", "kind": "lora"},
    ]  # fmt: skip
    assert line("outdated", "--lift", "base:sdxl")[1] == line("outdated", "--rules")[1]
    assert line("outdated", "--lift", "base:sdxl")[0] == 4
    assert line("outdated", "--rules", "--lift", "civitai:1001")[0] == 2


def test_licenses_tell_what_the_whole_set_permits(pulled: dict[str, Path], line: Line) -> None:
    code, document = line("licenses")
    together = {question: verdict["answer"] for question, verdict in document["together"].items()}
    assert code == 0
    assert document["entries"][0]["base_license"] == "CreativeML Open RAIL++-M"
    assert together == {
        "sell_images": "unknown", "run_as_service": "no", "sell": "no", "merge": "unknown", "no_credit": "no",
    }  # fmt: skip
    code, out = line.words("licenses")
    assert (code, "May you, with all 3 together:\n" in out) == (0, True)
    assert "  run it as a paid service  no: " in out


def test_a_base_whose_licence_forbids_what_its_lora_permits_is_named(line: Line, tmp_path: Path) -> None:
    entry = building.entry(title="Ink", license="it may be sold", base_model="flux.1-dev")
    (tmp_path / "one.lock").write_text(lockfile.dumps([entry]), encoding="utf-8")
    out = line.words("licenses", "--lock", str(tmp_path / "one.lock"))[1]
    assert "  sell the LoRA itself      no: the base of Ink\n" in out
