"""A Space as a visitor meets it: pushed to the local hub, downloaded as Spaces does, and started by its own app.py."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import requests
import yaml
from bs4 import BeautifulSoup
from huggingface_hub import HfApi, snapshot_download

from hub_ui.commands import cli
from hub_ui.demo.hubs.folder import SAMPLES
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.web.raw import Visitor
from tests.programs import free_run_of_ports

pytestmark = pytest.mark.journeys
NAME = "local/loras"
KEY = "hf_owner_of_the_space"


@dataclass(frozen=True, kw_only=True)
class Space:
    url: str
    folder: Path
    said: list[str]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    folder = tmp_path_factory.mktemp("space")
    with pytest.MonkeyPatch.context() as patch, running_hubs(SAMPLES) as hubs:
        for name, value in {**hubs.as_env(), "HF_TOKEN": KEY, "HUB_UI_HOME": str(folder / "owner")}.items():
            patch.setenv(name, value)
        lock, catalog = folder / "owner" / "loras" / "loras.lock", folder / "catalog.jsonl.zst"
        for words in (
            ["pull", "huggingface:shapeworks/ink-outline-tiny"],
            ["search", "robot"],
            ["catalog", "export", str(catalog)],
            ["space", "push", NAME, "--lock", str(lock), "--snapshot", str(catalog)],
        ):
            assert cli.main(words) == 0
        with space_like_run(hubs, folder) as running:
            yield running


@contextmanager
def space_like_run(hubs: HubEndpoints, folder: Path) -> Iterator[Space]:
    """What Spaces does: the repo's files in a new folder, what the card preloads in the cache, then `python app.py`."""
    api = HfApi(endpoint=hubs.huggingface, token=KEY)
    app = Path(
        snapshot_download(NAME, repo_type="space", endpoint=hubs.huggingface, local_dir=folder / "app", token=KEY)
    )
    cache = folder / "home" / ".cache" / "huggingface"
    card = yaml.safe_load((app / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    for line in card["preload_from_hub"]:
        repo, files, commit = line.split()
        snapshot_download(
            repo,
            revision=commit,
            allow_patterns=files.split(","),
            endpoint=hubs.huggingface,
            token=False,
            cache_dir=cache / "hub",
        )
    port = free_run_of_ports()
    variables = {name: each.value for name, each in api.get_space_variables(NAME).items()}
    environment = space_environment(hubs, folder / "home", port) | variables
    # Without PYTHONPATH and the user's packages: hub_ui comes from beside app.py.
    process = subprocess.Popen(
        [sys.executable, "-s", "-E", card["app_file"]],
        cwd=app,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("hub-ui: http"):
                break
        yield Space(url=f"http://127.0.0.1:{port}/", folder=app, said=said)
    finally:
        process.terminate()
        # What runs has 30 s to be done, and then its threads as many.
        process.communicate(timeout=120)


def space_environment(hubs: HubEndpoints, home: Path, port: int) -> dict[str, str]:
    return {
        **hubs.as_env(),
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SYSTEM": "spaces",
        "SPACE_ID": NAME,
        "SPACE_AUTHOR_NAME": "local",
        "SPACE_REPO_NAME": "loras",
        "SPACE_HOST": "local-loras.hf.space",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port),
    }


def test_the_space_runs_what_was_pushed_and_starts_with_its_catalog(space: Space) -> None:
    assert any("LoRAs in the catalog" in line for line in space.said), space.said
    # Python leaves its bytecode where it has imported from.
    assert list((space.folder / "hub_ui" / "commands" / "__pycache__").glob("cli.*.pyc"))
    assert list((space.folder / "connectors" / "__pycache__").glob("registry.*.pyc"))


def test_a_visitor_searches_opens_and_tries_on_the_space(space: Space) -> None:
    visitor = Visitor(url=space.url, services=cast(Any, None))
    ref = visitor.call("search", text="robot", bases="tiny-shapes").data[0]["results"][0]["ref"]
    page = BeautifulSoup(visitor.get("", params={"q": "robot", "open": ref}).text, "html.parser")
    assert any("SKS Robot" in heading.text for heading in page.select("h2"))
    image, report = visitor.call("try", refs=ref, prompt="a robot", steps=2).data
    assert (report["steps"], requests.get(image["url"], timeout=60).headers["content-type"]) == (2, "image/png")


def test_huggingface_shows_it_in_a_frame_and_its_visitors_keep_their_cookie(space: Space) -> None:
    answer = requests.get(space.url, headers={"X-Forwarded-Proto": "https"}, timeout=60)
    assert answer.headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert "SameSite=None; Secure; Partitioned" in answer.headers["set-cookie"]
