"""A Space as a visitor meets it: pushed to the local hub, downloaded as Spaces does, and started by its own app.py."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from huggingface_hub import HfApi, snapshot_download
from playwright.sync_api import Page, expect

from hub_ui import cli
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import HubEndpoints, running_hubs
from tests.browser import places

pytestmark = [pytest.mark.browser, pytest.mark.journeys]
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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
    assert list((space.folder / "hub_ui" / "__pycache__").glob("cli.*.pyc"))
    assert list((space.folder / "connectors" / "__pycache__").glob("registry.*.pyc"))


def test_a_visitor_searches_opens_and_tries_on_the_space(space: Space, page: Page) -> None:
    page.goto(space.url)
    expect(page.locator(".hub.good").first).to_be_visible()
    page.locator("#search input, #search textarea").fill("robot")
    page.locator("#search input, #search textarea").press("Enter")
    expect(page.locator(".card .hit", has_text=re.compile("robot", re.IGNORECASE)).first).to_be_visible()
    page.locator(".card", has_text="SKS Robot").locator(".hit").first.click()
    expect(page.locator(".detail h2")).to_contain_text("SKS Robot")
    page.get_by_role("button", name="Download & try").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=places.MAKING)
    expect(page.locator(".proof")).to_contain_text("tensors applied")


def test_the_lock_that_was_pushed_is_offered_to_every_visitor(space: Space, page: Page) -> None:
    page.goto(f"{space.url}?view=library")
    expect(page.get_by_text("Offered on this page")).to_be_visible()
    expect(page.get_by_role("link", name="ink-outline-tiny", exact=True)).to_be_visible()
