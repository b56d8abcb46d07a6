"""What four large files of three hubs take of memory while they stream at once, above a process that does nothing yet.

Two come from CivitAI, one from Hugging Face through huggingface_hub's cache, and one out of a tar of Replicate's.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from connectors.ref import HubName, Ref
from hub_ui import settings
from hub_ui.app import services
from hub_ui.demo.hubs.server import running_hubs
from tests.programs import python
from tests.tools.benchmarks.figures import Figure, limit, peak_memory
from tests.tools.chaos.wanted import write_loras

MIB = 1024 * 1024
ALLOWED_MB = 100.0
# On these hubs. Room for the files and as much again: some systems have a /dev/shm of a few megabytes.
HUBS: tuple[HubName, ...] = ("civitai", "civitai", "huggingface", "replicate")
_ROOM = 2 * len(HUBS)


def figures(*, size: int = 1024 * MIB) -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=_memory(_ROOM * size)) as name:
        folder = Path(name)
        tensors = {"lora_unet_a.lora_up.weight": ["F16", [size // 2, 1]]}
        loras = ((hub, number, {"tensors": tensors, "seed": number}) for number, hub in enumerate(HUBS, 1))
        refs = [ref for ref, _place, _spec in write_loras(folder / "hubs", loras)]
        with running_hubs(folder / "hubs") as hubs:
            told = streamed({**hubs.as_env(), "REPLICATE_API_TOKEN": "r8_bench"}, folder / "home", refs)
    if told["bytes"] < len(refs) * size:
        raise AssertionError(f"only {told['bytes']:,} bytes came")
    name = f"memory of {len(refs)} files of {size // MIB} MiB from three hubs at once, above idle"
    against = f"what is allowed; idle is {told['idle']:.0f} MB"
    return [limit(name, told["peak"] - told["idle"], ALLOWED_MB, "MB", against)]


def streamed(environ: Mapping[str, str], home: Path, refs: Sequence[Ref]) -> dict[str, Any]:
    """In a process of its own."""
    own: dict[str, Any] = {**environ, "HUB_UI_HOME": str(home), "HF_HOME": str(home / "hf")}
    done = python("-m", __name__, *map(str, refs), **own)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _memory(room: int) -> Path | None:
    """/dev/shm, so that the disk is spared, where it is large enough."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > room else None


def _pull(refs: Sequence[str]) -> None:
    with services.build(settings.from_environment(os.environ)) as built, ThreadPoolExecutor(len(refs)) as pool:
        idle = psutil.Process().memory_info().rss
        entries = list(pool.map(built.downloads.pull, map(Ref.parse, refs)))
        told = {"idle": idle / 2**20, "peak": peak_memory() / 2**20, "bytes": sum(entry.size for entry in entries)}
        print(json.dumps(told))


if __name__ == "__main__":
    _pull(sys.argv[1:])
