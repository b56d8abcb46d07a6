"""The queue on local hubs in a process of its own, which is killed in the middle of its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import generate_safetensors
from hub_ui.library import lockfile
from hub_ui.library.queue import Queue
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.library.building import sha256
from tests.hub_ui.library.queueing import Pulls, eventually

SIZE = 4 * 1024 * 1024
REFS = [Ref.parse(f"civitai:{number}@{number}#{number}") for number in range(11, 15)]
WORKER = """
import os, sys
from hub_ui import services, settings
with services.build(settings.from_environment(os.environ)) as built:
    built.queue.start()
    for task in built.queue.tasks():
        print(built.queue.wait(task.id).state, flush=True)
"""


def write_hubs(folder: Path) -> Path:
    """CivitAI with one file of 4 MB in each of four models."""
    spec = {"tensors": {"lora_unet_a.lora_up.weight": ["F32", [SIZE // 4, 1]]}}
    for ref in REFS:
        number = int(ref.id)
        content = generate_safetensors({**spec, "seed": number})
        file = {"id": number, "name": f"ink{number}.safetensors", "type": "Model", "sizeKB": content.size / 1024,
                "primary": True, "metadata": {"format": "SafeTensor"},
                "hashes": {"SHA256": content.sha256.upper()}}  # fmt: skip
        version = {"id": number, "name": "v1", "baseModel": "SD 1.5", "files": [file], "images": []}
        model = {"id": number, "name": f"Ink {number}", "type": "LORA", "modelVersions": [version]}
        (folder / f"civitai_model_{number}.json").write_text(json.dumps(model))
    files = {ref.id: {"safetensors": {**spec, "seed": int(ref.id)}} for ref in REFS}
    (folder / "files.json").write_text(json.dumps({"civitai": files}))
    return folder


@pytest.fixture
def hubs(tmp_path: Path) -> Iterator[HubEndpoints]:
    data = tmp_path / "data"
    data.mkdir()
    with running_hubs(write_hubs(data)) as running:
        yield running


def started(hubs: HubEndpoints, home: Path) -> subprocess.Popen[str]:
    there = {"HUB_UI_HOME": str(home), "CIVITAI_ENDPOINT": hubs.civitai, "PYTHONPATH": str(Path(__file__).parents[3])}
    environment = {**os.environ, **there}
    return subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE, text=True)


def test_the_queue_of_a_killed_process_is_resumed_and_fetches_no_complete_file_again(
    hubs: HubEndpoints, home: Path
) -> None:
    for match, rate in (("/model/1[12]/", 4_000_000), ("/model/1[34]/", 40_000)):
        hubs.faults.add(Fault(kind="slow", hub="delivery", match=match, bytes_per_second=rate))
    queue = Queue(home / "queue.sqlite", Pulls())
    for ref in REFS:
        queue.add(ref)
    first = started(hubs, home)
    eventually(lambda: any(task.state == "done" for task in queue.tasks()))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    complete = {path: path.stat().st_mtime_ns for path in (home / "loras").rglob("*.safetensors")}
    assert 1 <= len(complete) < len(REFS)
    hubs.faults.clear()
    said, _ = started(hubs, home).communicate()
    assert said.split() == ["done"] * 4
    queue.stop()
    entries = lockfile.loads((home / "loras" / "loras.lock").read_text())
    assert [entry.ref for entry in entries] == REFS
    assert all(sha256((home / "loras" / entry.file).read_bytes()) == entry.sha256 for entry in entries)
    assert {path: path.stat().st_mtime_ns for path in complete} == complete
    assert list((home / "loras").rglob("*.part")) == []
