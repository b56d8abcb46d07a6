"""The hubs of the contract tests, and on them things that only some accounts may have."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

from connectors.ref import Ref
from tests.hub_ui.library.shared_hubs import CONTRACT

# Whose words nobody else may read.
SECRET = "moonlit-secret"
PRIVATE = {
    "huggingface": Ref.parse(f"huggingface:ada/{SECRET}"),
    "replicate": Ref.parse(f"replicate:ada/{SECRET}"),
}
VERSION = "d" * 64
GATED = Ref.parse("huggingface:maker/closed")
PAID = Ref.parse("civitai:1001@2002#3003")
# Ada may have all of them, Ben none.
ADA = {"huggingface": "hf_member", "civitai": "civ_buyer", "replicate": "r8_ada"}
BEN = {"huggingface": "hf_stranger", "civitai": "civ_other", "replicate": "r8_ben"}


def write_private_data(folder: Path) -> Path:
    """A data folder for the local hubs (see hub_ui/demo/hubs/DATA_FOLDER.md)."""
    data = copytree(CONTRACT, folder / "data")
    files = _read(data / "files.json")
    weights = dict(files["huggingface"]["maker/red"]["lora.safetensors"])
    card = f"---\ntags: [lora]\nbase_model: runwayml/stable-diffusion-v1-5\n---\n# {SECRET}\n"
    files["huggingface"][f"ada/{SECRET}"] = {
        "lora.safetensors": {**weights, "access": "private"},
        "README.md": {"text": card},
    }
    files["replicate"][f"ada/{SECRET}:{VERSION}"] = weights
    _write(data / "files.json", files)
    model = _read(data / "replicate_model_maker__tuned_2026.json")
    version = {**model["latest_version"], "id": VERSION}
    url = f"https://replicate.com/ada/{SECRET}"
    own = {"owner": "ada", "name": SECRET, "visibility": "private", "url": url, "latest_version": version}
    _write(data / f"replicate_model_ada__{SECRET}_2026.json", {**model, **own})
    access = _read(data / "access.json")
    access["grants"]["hf_member"] += [f"ada/{SECRET}"]
    access["grants"]["r8_ada"] = [f"ada/{SECRET}"]
    _write(data / "access.json", access)
    return data


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _write(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values))
