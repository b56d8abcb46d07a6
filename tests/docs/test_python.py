"""The Python of the documentation does what it says, as it stands, against the demo's hubs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from tests.docs.pages import PAGES, ROOT, blocks

PROGRAMS = {
    page: "\n".join(block.code for block in blocks(page) if block.language == "python")
    for page in PAGES
    if any(block.language == "python" for block in blocks(page))
}


def run(program: str, folder: Path) -> list[str]:
    """The lines that it prints."""
    with running_hubs(SAMPLES) as hubs:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=folder,
            env={**os.environ, **hubs.as_env(), "REPLICATE_API_TOKEN": "any", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("page", PROGRAMS)
def test_the_blocks_of_a_page_are_one_program(page: str, tmp_path: Path) -> None:
    assert run(PROGRAMS[page], tmp_path)


def test_the_connectors_find_a_lora_and_read_its_remote_file(tmp_path: Path) -> None:
    lines = run(PROGRAMS["docs/python.md"], tmp_path)
    assert lines[0].startswith("civitai:900103 SKS Robot ")
    assert [line.split(" ")[1:3] for line in lines if "bytes read" in line] == [["tiny-shapes", "8"]]
    assert lines[-1].startswith("NotFound 4 ")


def test_the_connectors_alone_load_neither_gradio_nor_torch(tmp_path: Path) -> None:
    loaded = "import sys\nprint([name for name in ('gradio', 'torch') if name in sys.modules])"
    assert run(f"{PROGRAMS['docs/python.md']}\n{loaded}", tmp_path)[-1] == "[]"


@pytest.mark.parametrize("package", ["connectors", "hub_ui"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").read_bytes() == b""
