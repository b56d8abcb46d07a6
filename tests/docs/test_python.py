"""The Python of the documentation does what it says, as it stands, against the demo's hubs."""

from pathlib import Path
from typing import Any

import pytest

from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from tests.docs.pages import PAGES, ROOT, blocks
from tests.programs import python

PROGRAMS = {
    page: "\n".join(block.code for block in blocks(page) if block.language == "python")
    for page in PAGES
    if any(block.language == "python" for block in blocks(page))
}


def run(program: str, folder: Path) -> list[str]:
    """The lines that it prints."""
    with running_hubs(SAMPLES) as hubs:
        variables: dict[str, Any] = {**hubs.as_env(), "REPLICATE_API_TOKEN": "any"}
        done = python("-W", "error", "-c", program, cwd=folder, check=False, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


# What the first and the last line of a page's program begin with.
PRINTED = {"docs/python.md": ("civitai:900103 SKS Robot ", "NotFound 4 ")}


@pytest.mark.parametrize("page", PROGRAMS)
def test_the_blocks_of_a_page_are_one_program_that_loads_neither_gradio_nor_torch(page: str, tmp_path: Path) -> None:
    loaded = "import sys\nprint([name for name in ('gradio', 'torch') if name in sys.modules])"
    *lines, heavy = run(f"{PROGRAMS[page]}\n{loaded}", tmp_path)
    assert [line.startswith(begin) for line, begin in zip((lines[0], lines[-1]), PRINTED[page], strict=True)] == [
        True
    ] * 2
    assert [line.split(" ")[1:3] for line in lines if "bytes read" in line] == [["tiny-shapes", "8"]]
    assert heavy == "[]"


@pytest.mark.parametrize("package", ["connectors", "hub_ui"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").read_bytes() == b""
