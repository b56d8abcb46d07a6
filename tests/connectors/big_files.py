"""Hubs with a LoRA of 150 MB each, in two forms: a short header, and one too long for the first read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.ref import Ref
from tests.connectors.building import civitai_file, civitai_model, civitai_version, replicate_model, replicate_version
from tests.faulty_hubs import HubEndpoints, running_hubs

# Of each hub: the file with the short header, and the one with the long header.
REFS = {
    "civitai": ("civitai:4128@41280#9001", "civitai:4128@41281#9002"),
    "huggingface": (
        f"huggingface:ada/big@{'1ecd' * 10}#short.safetensors",
        f"hf:ada/big@{'1ecd' * 10}#long.safetensors",
    ),
    "replicate": (f"replicate:ada/big@{'a' * 64}", f"replicate:ada/big@{'b' * 64}"),
}


def big(*, metadata: int = 0) -> dict[str, Any]:
    """What kohya's scripts write for SDXL, 150 MB of it; `metadata` bytes of training tags make the header longer."""
    tensors: dict[str, Any] = {}
    for block in range(80):
        stem = f"lora_unet_output_blocks_{block % 3}_1_transformer_blocks_{block // 3}_attn2_to_k"
        tensors[f"{stem}.alpha"] = ["F32", []]
        tensors[f"{stem}.lora_down.weight"] = ["F16", [64, 2048]]
        tensors[f"{stem}.lora_up.weight"] = ["F16", [1280, 64]]
    tensors["lora_unet_output_blocks_2_1_proj_in.lora_down.weight"] = ["F16", [64, 1280]]
    tensors["lora_unet_output_blocks_2_1_proj_in.lora_up.weight"] = ["F16", [910_000, 64]]
    scalars = {name: 32.0 for name in tensors if name.endswith(".alpha")}
    said = {"ss_network_dim": "64", "ss_tag_frequency": json.dumps({"10_ink": {"i" * metadata: 3}})}
    return {"safetensors": {"tensors": tensors, "metadata": said, "scalars": scalars}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    data = tmp_path_factory.mktemp("big")
    write(data)
    with running_hubs(data) as endpoints:
        yield endpoints


def ref(hub: str, *, long: bool = False) -> Ref:
    return Ref.parse(REFS[hub][long])


def write(folder: Path) -> None:
    """A data folder of the local hubs (see DATA_FOLDER.md)."""
    short, long = big(), big(metadata=300_000)
    versions = [
        civitai_version(),
        civitai_version(id=41281, files=[civitai_file(id=9002, hashes={"SHA256": "CD" * 32})]),
    ]
    ids = ("a" * 64, "b" * 64)
    files = {
        "civitai": {"9001": short, "9002": long},
        "replicate": {f"ada/big:{ids[0]}": short, f"ada/big:{ids[1]}": long},
    }
    commits = [
        {
            "sha": "1ecd" * 10,
            "date": "2026-08-01T10:00:00.000Z",
            "files": {"short.safetensors": short, "long.safetensors": long},
        }
    ]
    _put(folder / "files.json", files)
    _put(folder / "civitai_model_4128.json", civitai_model(modelVersions=versions))
    _put(folder / "hf_commits_ada__big.json", {"commits": commits})
    _put(
        folder / "replicate_model_ada__big.json",
        replicate_model(owner="ada", name="big", latest_version=replicate_version(id=ids[0])),
    )


def _put(path: Path, data: object) -> None:
    path.write_text(json.dumps(data), encoding="utf-8")
