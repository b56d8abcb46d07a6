"""A process that is killed in the middle of a pull: the next one finds its way, and nothing stands in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ref import HubName
from hub_ui.library.download.partial_file import PartialFile
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.library.hubs import DATA, DELIVERED, HUBS, SIZE, library_in, pull, weights_in

PULL = """
import sys
from pathlib import Path
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.hubs import library_in, pull
folder, hub, *origins = sys.argv[1:]
hubs = HubEndpoints(**dict(zip(("huggingface", "civitai", "replicate", "delivery"), origins)))
print("begins", flush=True)
pull(hubs, hub, library_in(Path(folder)))
"""


@pytest.fixture
def hubs() -> Iterator[HubEndpoints]:
    with running_hubs(DATA) as endpoints:
        yield endpoints


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that cannot be caught")
def test_a_killed_pull_is_resumed_and_its_lock_blocks_nobody(hubs: HubEndpoints, tmp_path: Path) -> None:
    hubs.faults.add(Fault(kind="slow", hub="delivery", match=DELIVERED["civitai"], bytes_per_second=50))
    origins = [hubs.huggingface, hubs.civitai, hubs.replicate, hubs.delivery]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", PULL, str(tmp_path), "civitai", *origins]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        library = library_in(tmp_path)
        until = time.monotonic() + 120
        while not kept(tmp_path) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    came = kept(tmp_path)
    assert 0 < came < SIZE
    assert (weights_in(library), library.entries()) == ([], ())
    hubs.faults.clear()
    assert pull(hubs, "civitai", library).size == SIZE
    assert list(library.folder.rglob("*.part")) == []


@pytest.mark.parametrize("hub", HUBS)
def test_leftovers_of_a_pull_that_ended_after_it_wrote_its_entry_are_deleted(
    hubs: HubEndpoints, hub: HubName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = library_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(PartialFile, "remove_state", lambda _: None)
        entry = pull(hubs, hub, library)
    assert len(list(library.folder.glob(".hub-ui/*.json"))) == 1
    assert library.find_installed(entry.ref) == entry == pull(hubs, hub, library)
    assert list(library.folder.glob(".hub-ui/*.json")) == []


def kept(folder: Path) -> int:
    """The bytes that the state file speaks of, and that are in the part."""
    parts = list((folder / "loras").rglob("*.part"))
    return parts[0].stat().st_size if parts and list((folder / "loras/.hub-ui").glob("*.json")) else 0
