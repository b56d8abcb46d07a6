"""The shell lines of the documentation do what they say, as they stand, against the demo's hubs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import copytree

import pytest

from hub_ui.commands import cli
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from tests.docs.pages import PAGES, ROOT, Block, blocks, shell_blocks
from tests.docs.warm_program import warm_program
from tests.programs import free_run_of_ports, started

BASH = shutil.which("bash")
# The other pages are for `make documentation`.
IN_SHORT = ("README.md",)
RUN = [page for page in PAGES if any(block.reason is None for block in shell_blocks(page))]
NOT_RUN = [block for page in PAGES for block in shell_blocks(page) if block.reason is not None]
# The ports that the pages name; a test takes free ones in their place.
PORTS = re.compile(r"\b879([0-3])\b")
# `hub-ui` is this checkout's, whatever is installed.
STARTED = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hub_ui "$@"\n'


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that docs/demo.md sets."""
    data = tmp_path_factory.mktemp("hubs")
    copytree(SAMPLES, data, dirs_exist_ok=True)
    with running_hubs(data) as endpoints:
        yield {**endpoints.as_env(), "REPLICATE_API_TOKEN": "any"}


@pytest.fixture(scope="module")
def warm(hubs: dict[str, str]) -> Iterator[str]:
    """Which importing everything is spared: the lines of README.md and of pages that serve start the program anew."""
    with warm_program({**os.environ, **hubs}) as text:
        yield text


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
@pytest.mark.timeout(3600)  # Some lines generate images, for which a busy machine takes minutes.
@pytest.mark.parametrize(
    "page", [page if page in IN_SHORT else pytest.param(page, marks=pytest.mark.documentation) for page in RUN]
)
def test_the_lines_of_a_page_do_what_they_say(
    page: str, hubs: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """In one folder, from top to bottom. A page that starts hubs of its own is not told of others."""
    here = shell_blocks(page)
    first = free_run_of_ports()
    is_serving = any(block.how == "serves" for block in here)
    variables = {} if is_serving else hubs
    install(STARTED if is_serving or page in IN_SHORT else request.getfixturevalue("warm"), tmp_path)
    with ExitStack() as stack:
        for block in here:
            lines = PORTS.sub(lambda port: str(first + int(port[1])), block.code)
            if block.how == "serves":
                stack.enter_context(serving(lines, tmp_path))
            elif block.reason is None:
                check(block, lines, tmp_path, variables)


def check(block: Block, lines: str, folder: Path, variables: Mapping[str, str]) -> None:
    """What a block exports, the next ones have."""
    script = f"if [ -f .exports ]; then . ./.exports; fi\n{lines}\nexport -p > .exports"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**environment(folder), **variables},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == block.exit_code, f"{block.place} ended with {done.returncode}\n{done.stdout}{done.stderr}"


@contextmanager
def serving(lines: str, folder: Path) -> Iterator[None]:
    """Goes on once the first line of output is there, and stops it as Ctrl-C would."""
    command = ["bash", "-c", f"exec {lines.strip()}"]
    with started(*command, cwd=folder, env=environment(folder)) as (line, _process):
        assert line.startswith("hub-ui demo: ") or json.loads(line)
        yield


def install(text: str, folder: Path) -> None:
    program = folder / ".bin" / "hub-ui"
    program.parent.mkdir()
    program.write_text(text)
    program.chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    # `python` too is the one that has hub-ui, as in an environment that was activated.
    path = os.pathsep.join((str(folder / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "HUB_UI_HOME": str(folder / ".home")}
    return {**os.environ, **own}


@pytest.mark.parametrize("block", NOT_RUN, ids=lambda block: block.place)
def test_a_line_that_is_not_run_is_one_that_hub_ui_reads(block: Block) -> None:
    for line in re.split(r"\n|&&", block.code):
        words = shlex.split(line, posix=block.language == "sh")
        names = [at for at, word in enumerate(words) if re.split(r"[\\/]", word)[-1] == "hub-ui"]
        if names:
            cli.parse(words[names[0] + 1 :])
    pytest.skip(f"{block.place} is not run: {block.reason}")


@pytest.mark.parametrize("page", PAGES)
def test_no_command_stands_in_a_block_that_nothing_looks_at(page: str) -> None:
    others = [block for block in blocks(page) if block.language not in ("sh", "powershell")]
    assert [block.place for block in others if re.search(r"^\s*hub-ui ", block.code, re.MULTILINE)] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_words_after_a_fence_say_how_its_lines_are_run(page: str) -> None:
    known = re.compile(r"|exit=[1-9]|serves|example: \S.*")
    assert [block.place for block in blocks(page) if not known.fullmatch(block.how)] == []
