"""What four large files of three hubs take of memory while they stream at once, above a process that does nothing yet.

Two come from CivitAI, one from Hugging Face through huggingface_hub's cache, and one out of a tar of Replicate's.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from connectors.ref import Ref
from hub_ui import services, settings
from hub_ui.demo.hubs.folder import generate_safetensors
from hub_ui.demo.hubs.server import running_hubs
from tests.tools.benchmarks.figures import Figure, report

MIB = 1024 * 1024
ALLOWED_MB = 100.0
_STATUS = Path("/proc/self/status")
_HASH = "a" * 64
REFS = (
    "civitai:1@11#111",
    "civitai:2@22#222",
    "huggingface:maker/large#lora.safetensors",
    f"replicate:maker/large@{_HASH}",
)
# Room for the files and as much again: some systems have a /dev/shm of a few megabytes.
_ROOM = 2 * len(REFS)


def figures(*, size: int = 1024 * MIB) -> list[Figure]:
    if not _STATUS.exists():
        print(f"There is no {_STATUS} here, so nobody says how much memory a process had.", flush=True)
        return []
    with tempfile.TemporaryDirectory(dir=_memory(_ROOM * size)) as name:
        folder = Path(name)
        write_hubs(folder / "hubs", size)
        with running_hubs(folder / "hubs") as hubs:
            told = streamed({**hubs.as_env(), "REPLICATE_API_TOKEN": "r8_bench"}, folder / "home")
    if told["bytes"] < len(REFS) * size:
        raise AssertionError(f"only {told['bytes']:,} bytes came")
    name = f"memory of {len(REFS)} files of {size // MIB} MiB from three hubs at once, above idle"
    against = f"what is allowed; idle is {told['idle']:.0f} MB"
    return [
        Figure(name=name, ours=told["peak"] - told["idle"], other=ALLOWED_MB, against=against, target=1.0, unit="MB")
    ]


def streamed(environ: Mapping[str, str], home: Path) -> dict[str, Any]:
    """In a process of its own."""
    there = {**os.environ, **environ, "HUB_UI_HOME": str(home), "HF_HOME": str(home / "hf")}
    command = [sys.executable, "-m", "tests.tools.benchmarks.bench_memory", "pull"]
    done = subprocess.run(command, env=there, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def write_hubs(data: Path, size: int) -> None:
    data.mkdir()
    for number in (1, 2):
        sha256 = generate_safetensors(_file(size, number)["safetensors"]).sha256.upper()
        file = {"id": number * 111, "name": "ink.safetensors", "type": "Model", "primary": True,
                "metadata": {"format": "SafeTensor"}, "hashes": {"SHA256": sha256}}  # fmt: skip
        version = {"id": number * 11, "name": "v1", "baseModel": "SD 1.5", "files": [file], "images": []}
        model = {"id": number, "name": f"Ink {number}", "type": "LORA", "modelVersions": [version]}
        (data / f"civitai_model_{number}.json").write_text(json.dumps(model))
    inputs = {"Input": {"type": "object", "properties": {"replicate_weights": {"type": "string"}}}}
    version = {
        "id": _HASH,
        "created_at": "2026-08-01T00:00:00.1Z",
        "openapi_schema": {"components": {"schemas": inputs}},
    }
    tuned = {"owner": "maker", "name": "large", "visibility": "public", "latest_version": version}
    (data / "replicate_model_maker__large.json").write_text(json.dumps(tuned))
    files = {
        "civitai": {"111": _file(size, 1), "222": _file(size, 2)},
        "huggingface": {"maker/large": {"lora.safetensors": _file(size, 3)}},
        "replicate": {f"maker/large:{_HASH}": _file(size, 4)},
    }
    (data / "files.json").write_text(json.dumps(files))


def _file(size: int, seed: int) -> dict[str, Any]:
    return {"safetensors": {"tensors": {"lora_unet_a.lora_up.weight": ["F16", [size // 2, 1]]}, "seed": seed}}


def _memory(room: int) -> Path | None:
    """/dev/shm, so that the disk is spared, where it is large enough."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > room else None


def _pull() -> None:
    with services.build(settings.from_environment(os.environ)) as built, ThreadPoolExecutor(len(REFS)) as pool:
        idle = _mb("VmRSS")
        entries = list(pool.map(built.downloads.pull, map(Ref.parse, REFS)))
        print(json.dumps({"idle": idle, "peak": _mb("VmHWM"), "bytes": sum(entry.size for entry in entries)}))


def _mb(name: str) -> float:
    """VmHWM is the most that this process ever had, VmRSS what it has now."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    if sys.argv[1:] == ["pull"]:
        _pull()
    else:
        sys.exit(report(figures()))
