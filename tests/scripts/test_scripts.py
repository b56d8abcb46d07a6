"""The page's scripts without a page: `node --test tests/scripts` runs what is in the .mjs files here."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hub_ui.web.layout.pages import MODULES

HERE = Path(__file__).parent


def test_the_functions_of_the_scripts() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.fail("The scripts' tests need Node.js 20 or newer. Install it; the browser tests need it too.")
    tests = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    run = [node, "--no-warnings", "--test", "--import", (HERE / "page.mjs").as_uri(), *tests]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"# pass {done.stdout.count('# Subtest: ')}" in done.stdout


@pytest.mark.parametrize("name", MODULES)
def test_each_script_is_tested(name: str) -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.test.mjs"))
    assert f"/{name}.js" in texts
