"""The program from its first moment on."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.programs import ROOT, python

# Presses Ctrl-C once the first of the command line's own imports is looked for.
INTERRUPTED = """
import os, signal, sys

class Presses:
    def find_spec(self, name, path=None, target=None):
        if name == "hub_ui.commands.terminal":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Presses())
# A shell that starts the tests in the background has them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
from hub_ui.__main__ import main
sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_while_the_command_line_is_loaded_is_no_traceback() -> None:
    done = python("-c", INTERRUPTED, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_at_the_end_nothing_is_looked_through_for_garbage() -> None:
    code = "import gc; from hub_ui.__main__ import main; main(); print(gc.get_freeze_count() > len(gc.get_objects()))"
    assert python("-c", code, check=False).stdout.endswith("True\n")


def test_the_module_is_the_program() -> None:
    done = python("-m", "hub_ui", "show", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("hub-ui: Missing argument 'REF'.")


def run(folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """hub-ui, begun in `folder`, with packages from there and from `path` alone."""
    words = ("-S", "-m", "hub_ui", "search", "robot", "--offline")
    return python(*words, cwd=folder, check=False, PYTHONPATH=str(path))


def other_package(folder: Path) -> Path:
    (folder / "connectors").mkdir(parents=True)
    (folder / "connectors" / "__init__.py").write_text('"""Connects to data."""\n')
    return folder


def test_another_package_connectors_before_ours_is_found_out(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "hub_ui").symlink_to(ROOT / "hub_ui", target_is_directory=True)
    done = run(site, other_package(tmp_path / "other"))
    assert done.returncode == 1
    assert f"Python finds another package “connectors” before hub-ui's own: {tmp_path}/other/connectors." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("is_uninstalled", [False, True])
def test_another_package_connectors_over_ours_is_found_out(is_uninstalled: bool, tmp_path: Path) -> None:
    """pip has put its files into our folder, and may have taken them away again."""
    (other_package(tmp_path) / "hub_ui").symlink_to(ROOT / "hub_ui", target_is_directory=True)
    if is_uninstalled:
        (tmp_path / "connectors" / "__init__.py").unlink()
    done = run(tmp_path, tmp_path)
    assert done.returncode == 1
    assert f"was installed over hub-ui's own in {tmp_path}/connectors. Uninstall it" in done.stderr
    assert "Traceback" not in done.stderr
