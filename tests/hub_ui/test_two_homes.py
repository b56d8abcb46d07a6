"""Two people, one lock file: processes with a HOME of their own, and hubs that answer elsewhere the second time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.ref import HubName
from hub_ui.demo.hubs.folder import generate_safetensors
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, REPLICATE, TUNED, copied, edited

ROOT = Path(__file__).resolve().parents[2]
SPEC = {"tensors": {"lora_unet_a.lora_up.weight": ["F16", [400, 4]]}}
# Where a hub's data folder says which bytes its file has.
PLACES: dict[HubName, tuple[str, tuple[str | int, ...]]] = {
    "civitai": ("files.json", ("civitai", "3001")),
    "huggingface": ("hf_commits_maker__history.json", ("commits", 0, "files", "lora.safetensors")),
    "replicate": ("files.json", ("replicate", f"maker/tuned:{TUNED}")),
}
DELIVERED: dict[HubName, str] = {
    "civitai": "/model/3001/",
    "huggingface": "/repos/maker/history/",
    "replicate": "trained_model.tar",
}


@dataclass(frozen=True, kw_only=True)
class Home:
    """Someone's HOME, and the command line run in it."""

    path: Path
    hubs: HubEndpoints

    @property
    def lock(self) -> Path:
        return self.path / "hub-ui" / "loras" / "loras.lock"

    def run(self, *words: str) -> tuple[int, Any]:
        environ = {
            **os.environ, **self.hubs.as_env(), "REPLICATE_API_TOKEN": "r8_test", "PYTHONPATH": str(ROOT),
            "HOME": str(self.path), "HF_HOME": str(self.path / "hf"), "HUB_UI_HOME": str(self.path / "hub-ui"),
        }  # fmt: skip
        command = [sys.executable, "-m", "hub_ui.cli", *words, "--json"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    def files(self) -> dict[str, bytes]:
        """Names and bytes of the library, without the empty files that keep writers apart."""
        folder = self.lock.parent
        found = (path for path in folder.rglob("*") if path.is_file() and ".hub-ui" not in path.parts)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@contextmanager
def home(folder: Path, data: Path, lock: Path | None = None) -> Iterator[Home]:
    """New, but for the lock file that someone sent."""
    with running_hubs(data) as hubs:
        made = Home(path=folder, hubs=hubs)
        made.lock.parent.mkdir(parents=True)
        if lock is not None:
            shutil.copy(lock, made.lock)
        yield made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hubs that serve one file each from the disk."""
    made = copied(tmp_path_factory.mktemp("two") / "hubs")
    for seed, (hub, (name, keys)) in enumerate(PLACES.items()):
        content = generate_safetensors({**SPEC, "seed": seed})
        (made / hub).write_bytes(content.read(0, content.size))
        edited(made / name, *keys, value={"path": hub})
    return made


@pytest.fixture(scope="module")
def first(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Whoever made the lock file. Their hubs are no more: the others' answer at other addresses."""
    with home(tmp_path_factory.mktemp("first") / "home", data) as made:
        assert made.run("pull", CIVITAI, HUGGINGFACE, REPLICATE)[0] == 0
    return made


def test_another_home_gets_the_same_names_and_bytes_from_the_lock(first: Home, data: Path, tmp_path: Path) -> None:
    with home(tmp_path / "home", data, first.lock) as second:
        code, document = second.run("sync", "--frozen")
        assert (code, [entry["state"] for entry in document["entries"]]) == (0, ["fetched"] * 3)
        assert second.files() == first.files()
        assert (len(second.files()), second.run("verify")[0]) == (4, 0)


def test_an_own_pull_of_the_same_refs_makes_the_same_lock_but_for_the_addresses(
    first: Home, data: Path, tmp_path: Path
) -> None:
    pins = [line.split('"')[1] for line in first.lock.read_text().splitlines() if line.startswith("ref = ")]
    with home(tmp_path / "home", data) as second:
        assert second.run("pull", *reversed(pins))[0] == 0
        code, document = second.run("diff", str(first.lock), str(second.lock))
    assert {name for name in second.files() if first.files()[name] != second.files()[name]} <= {"loras.lock"}
    assert (code, document["added"], document["removed"]) == (0, [], [])
    assert {key for change in document["changed"] for key in change["keys"]} <= {"source"}


@pytest.mark.parametrize("hub", PLACES)
def test_one_other_byte_on_a_hub_ends_a_frozen_sync_with_7(
    hub: HubName, first: Home, data: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(data, tmp_path / "changed"))
    whole = (changed / hub).read_bytes()
    (changed / hub).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with home(tmp_path / "home", changed, first.lock) as second:
        code, document = second.run("sync", "--frozen")
    assert (code, failed(document)) == (7, [(hub, "WrongHash")])
    assert missing(first, second) == [hub]


@pytest.mark.parametrize("hub", PLACES)
def test_a_byte_that_changes_on_the_way_does_too(hub: HubName, first: Home, data: Path, tmp_path: Path) -> None:
    """The hub promises the right bytes and hands out others."""
    with home(tmp_path / "home", data, first.lock) as second:
        second.hubs.faults.add(Fault(kind="wrong_bytes", hub="delivery", match=DELIVERED[hub]))
        code, document = second.run("sync", "--frozen")
        assert (code, failed(document), missing(first, second)) == (7, [(hub, "WrongHash")], [hub])
        second.hubs.faults.clear()
        assert second.run("sync", "--frozen")[0] == 0
    assert second.files() == first.files()


def failed(document: Any) -> list[tuple[str, str]]:
    return [(entry["ref"].split(":")[0], entry["error"]) for entry in document["entries"] if entry["state"] == "failed"]


def missing(first: Home, second: Home) -> list[str]:
    """The hubs whose file is not there. What is there must be right, and nothing else must be."""
    theirs, ours = first.files(), second.files()
    assert {name: theirs[name] for name in ours} == ours
    hubs = {bytes_: hub for hub in PLACES for name, bytes_ in theirs.items() if bytes_ == generated(hub)}
    return [hubs[theirs[name]] for name in theirs if name not in ours]


def generated(hub: HubName) -> bytes:
    content = generate_safetensors({**SPEC, "seed": list(PLACES).index(hub)})
    return content.read(0, content.size)
