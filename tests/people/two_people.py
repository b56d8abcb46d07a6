"""A hosted page in a process of its own, and two people on it whose things must not meet.

All that the page writes lies in one folder: its home, caches, temporary files, and what it says at DEBUG.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import Path
from shutil import copytree
from typing import Any

from safetensors.numpy import load_file, save_file

from connectors.registry import HUBS, HubName
from hub_ui.demo.hubs.folder import PACKAGE, SAMPLES
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.huggingface_oauth import SignIn
from tests.people.browser import Answer, Browser
from tests.people.leaks import Colours, Finding, Kind, Scan, Secret
from tests.programs import ROOT, free_run_of_ports

START_SECONDS = 120
# What private models are made of.
ROBOT = "tinkertown/sks-robot"
WEIGHTS = PACKAGE / "data" / "weights" / "loras" / "sks-robot.safetensors"
OWNER_KEYS: Mapping[HubName, str] = {
    "huggingface": "hf_owner7c1d0b9e52", "civitai": "civ_owner7c1d0b9e52", "replicate": "r8_owner7c1d0b9e52"
}  # fmt: skip
# The owner's keys are in use: one hub's list and one LoRA.
SHARED = "replicate:list civitai:731905"
# Gradio (6.31) names the files of named endpoints by their path in its temporary folder.
NAMES_FILES = re.compile("^[A-Z]+ /gradio_api/call/try/")
# Many at once, so that no limit ends the run.
LIMITS = {
    f"HUB_UI_LIMIT_{name}": "5000"
    for name in ("SEARCHES_PER_MINUTE", "OPENS_PER_MINUTE", "IMAGES_PER_HOUR", "PEOPLE_PER_ADDRESS")
}


@dataclass(frozen=True, kw_only=True)
class Person:
    """`word` is in everything that they type, name or own, and nowhere else."""

    name: str
    word: str
    keys: Mapping[HubName, str] = field(repr=False)
    colours: Colours

    @property
    def account(self) -> str:
        return f"{self.word}-account"

    @property
    def model(self) -> str:
        """OWNER/NAME of what only their account has, on Replicate and on Hugging Face."""
        return f"{self.account}/{self.word}-model"

    def secrets(self) -> Iterator[Secret]:
        for hub, key in self.keys.items():
            yield Secret(text=key, what=f"{self.name}'s key of {hub}", kind="key")
        yield Secret(text=self.word, what=f"words of {self.name}", of=self.name)


ADA = Person(
    name="Ada",
    word="quillfern",
    keys={"civitai": "civ_a1f09d7733ad", "replicate": "r8_a1f09d7733ad"},
    colours=Colours(of="Ada", three=((213, 34, 181), (17, 203, 94), (242, 167, 8))),
)
BEN = Person(
    name="Ben",
    word="brasswick",
    keys={"civitai": "civ_b6e2480c91be", "replicate": "r8_b6e2480c91be"},
    colours=Colours(of="Ben", three=((31, 58, 227), (201, 240, 17), (120, 14, 66))),
)
PEOPLE = (ADA, BEN)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`browsers` are by person's name."""

    folder: Path
    hubs: HubEndpoints
    browsers: Mapping[str, Browser]
    scan: Scan

    def heard(self, person: Person, words: str) -> bool:
        """Whether they were told that: what nobody was told can't have leaked either."""
        return any(words.encode() in answer.body for answer in self.browsers[person.name].answers)

    def leaks(self) -> list[Finding]:
        """What people were told so far, and what has been written, but for uploads and results that still count."""
        answers = (leaks_of_answers(self.scan, name, each.answers) for name, each in self.browsers.items())
        files = self.scan.find_in_files(self.folder)
        return [*chain.from_iterable(answers), *(each for each in files if not self._is_running(each))]

    def _is_running(self, finding: Finding) -> bool:
        """Gradio's folder of uploads and results, and LoRAs that a person's own right opened: gone with the page."""
        return finding.kind == "words" and bool(
            re.match("(the name of )?(tmp/hub-ui-|.*/lora-cache/running/)", finding.where)
        )


def leaks_of_answers(scan: Scan, name: str, answers: Sequence[Answer]) -> Iterator[Finding]:
    """What came several times is looked at once."""
    seen = set[bytes]()
    for answer in list(answers):
        where = f"{answer.request.partition('?')[0][:100]} to {name}"
        yield from scan.find(f"the headers of {where}", _without_session(answer.headers), reader=name)
        digest = sha256(answer.body).digest()
        if digest not in seen:
            seen.add(digest)
            kinds: list[Kind] = ["key", "words"] if NAMES_FILES.search(answer.request) else ["key", "words", "folder"]
            yield from scan.find(where, bytes(answer.body), reader=name, kinds=kinds)


def _without_session(headers: bytes) -> bytes:
    """Gradio (6.31) keeps a sign-in in a cookie of the person's own, which no script can read."""
    return re.sub(rb"(?m)^set-cookie: session=.*$", b"", headers)


def write_data(folder: Path, people: Sequence[Person] = PEOPLE) -> None:
    """The samples, and for each person a model of their own on Replicate and on Hugging Face."""
    copytree(SAMPLES, folder, dirs_exist_ok=True)
    files, access = _read(folder / "files.json"), _read(folder / "access.json")
    model = _read(folder / f"replicate_model_{ROBOT.replace('/', '__')}.json")
    tensors = load_file(WEIGHTS)
    for number, person in enumerate(people):
        id_ = f"{number:x}" * 64
        # What is trained says so itself, in every copy of the file.
        save_file(tensors, folder / f"{person.word}.safetensors", {"ss_output_name": f"{person.word}-weights"})
        weights = {"path": f"{person.word}.safetensors"}
        own = {
            "owner": person.account, "name": f"{person.word}-model", "visibility": "private",
            "url": f"https://replicate.com/{person.model}", "description": f"What {person.word} trained.",
            "latest_version": {**model["latest_version"], "id": id_},
        }  # fmt: skip
        _write(folder / f"replicate_model_{person.model.replace('/', '__')}.json", {**model, **own})
        files["replicate"][f"{person.model}:{id_}"] = weights
        card = f"---\ntags: [lora]\ninstance_prompt: {person.word}-trigger\n---\n# What {person.word} trained\n"
        files["huggingface"][person.model] = {
            "lora.safetensors": {**weights, "access": "private"},
            "README.md": {"text": card},
        }
        access["grants"] |= {person.keys["replicate"]: [person.model], person.account: [person.model]}
    _write(folder / "files.json", files)
    _write(folder / "access.json", access)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """When the block ends, the page has been stopped as its owner would do it."""
    write_data(folder / "data")
    page = folder / "page"
    secrets = [
        *(secret for person in PEOPLE for secret in person.secrets()),
        *(Secret(text=key, what=f"the owner's key of {hub}", kind="key") for hub, key in OWNER_KEYS.items()),
        # A token of somebody's sign-in.
        Secret(text="hf_oauth_", what="a token of a sign-in", kind="key"),
        *(Secret(text=str(path), what="a folder of the server", kind="folder") for path in (page, ROOT, sys.prefix)),
    ]
    with running_hubs(folder / "data", around=SignIn().around) as hubs, served(page, hubs) as url:
        browsers = {person.name: Browser(url) for person in PEOPLE}
        scan = Scan(secrets=secrets, colours=[person.colours for person in PEOPLE])
        yield Stage(folder=page, hubs=hubs, browsers=browsers, scan=scan)
        for browser in browsers.values():
            browser.close()


@contextmanager
def served(folder: Path, hubs: HubEndpoints) -> Iterator[str]:
    for name in ("home", "tmp", "said"):
        (folder / name).mkdir(parents=True)
    port = free_run_of_ports()
    environment = {
        **hubs.as_env(), **LIMITS, **{HUBS[hub].token_variable: key for hub, key in OWNER_KEYS.items()},
        "HUB_UI_SHARED_KEYS": SHARED, "HUB_UI_LOG_LEVEL": "debug", "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
        "HOME": str(folder / "home"), "HUB_UI_HOME": str(folder / "home" / "hub-ui"), "TMPDIR": str(folder / "tmp"),
        "SYSTEM": "spaces", "SPACE_ID": "local/loras", "GRADIO_SERVER_PORT": str(port),
        "OAUTH_CLIENT_ID": "loras", "OAUTH_CLIENT_SECRET": "hf_owner7c1d0b9e52secret",
        "OAUTH_SCOPES": "openid profile read-repos gated-repos", "OPENID_PROVIDER_URL": hubs.huggingface,
    }  # fmt: skip
    said = folder / "said" / "log.txt"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub_ui", "serve", "--hosted", "--host", "127.0.0.1"],
            env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            until = time.monotonic() + START_SECONDS
            while not (found := re.search(rb"hub-ui: (http\S+)", said.read_bytes())):
                has_failed = process.poll() is not None or time.monotonic() > until
                assert not has_failed, said.read_text(errors="replace")[-3000:]
                time.sleep(0.1)
            yield found[1].decode()
        finally:
            process.terminate()
            process.wait(START_SECONDS)
