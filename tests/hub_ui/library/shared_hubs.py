"""The local hubs on a copy of the contract tests' data, which a test may change, and the command line on them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub_ui.commands import cli
from hub_ui.demo.build.samples import civitai_hashes
from hub_ui.demo.hubs.folder import DataFolder, Origins, generate_safetensors
from hub_ui.demo.hubs.replicate_store import SECONDS
from tests.faulty_hubs import HubEndpoints, running_hubs

CONTRACT = Path(__file__).parents[2] / "contract" / "data"
CIVITAI = "civitai:1001@2001#3001"
HUGGINGFACE = "huggingface:maker/history"
REPLICATE = "replicate:maker/tuned"


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(CONTRACT, folder))


def edited(path: Path, *keys: str | int, value: Any) -> None:
    """Sets one value deep inside a JSON file. Another file on CivitAI has another size and other hashes there."""
    document = json.loads(path.read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(document))
    if path.name == "files.json" and keys[0] == "civitai":
        _measure(path.parent, str(keys[1]))


def with_two_homes(data: Path) -> Path:
    """The same file is on CivitAI and on Hugging Face."""
    content = generate_safetensors({"tensors": {"lora_unet_a.lora_up.weight": ["F16", [400, 4]]}, "seed": 1})
    (data / "same").write_bytes(content.read(0, content.size))
    edited(data / "files.json", "civitai", "3001", value={"path": "same"})
    edited(data / "hf_commits_maker__history.json", "commits", 0, "files", "lora.safetensors", value={"path": "same"})
    return data


def _measure(data: Path, file_id: str) -> None:
    folder = DataFolder(path=data, origins=Origins(huggingface="", civitai="", replicate="", delivery=""))
    content = folder.hub_file(folder.files["civitai"][file_id]).content
    for path in data.glob("civitai_model_*.json"):
        model = json.loads(path.read_text())
        for file in (file for version in model["modelVersions"] for file in version["files"]):
            if str(file["id"]) == file_id:
                file |= {"sizeKB": content.size / 1024, "hashes": civitai_hashes(content)}
                path.write_text(json.dumps(model))


@contextmanager
def answering(data: Path, monkeypatch: pytest.MonkeyPatch, *, run_seconds: float = SECONDS) -> Iterator[HubEndpoints]:
    """The hubs of `data`, and an environment that names them. `run_seconds`: how long Replicate draws and trains."""
    with running_hubs(data, run_seconds=run_seconds) as hubs:
        monkeypatch.setenv("HF_ENDPOINT", hubs.huggingface)
        monkeypatch.setenv("CIVITAI_ENDPOINT", hubs.civitai)
        monkeypatch.setenv("REPLICATE_ENDPOINT", hubs.replicate)
        monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_test")
        yield hubs


class Line:
    """The command line: `line("verify")` gives the exit code and the JSON document.

    `out` and `err` are what was said last.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str) -> tuple[int, Any]:
        return self.run(*words, "--json"), json.loads(self.out)

    def words(self, *words: str) -> tuple[int, str]:
        return self.run(*words), self.out

    def run(self, *words: str) -> int:
        self._capsys.readouterr()
        code = cli.main(words)
        self.out, self.err = self._capsys.readouterr()
        return code
