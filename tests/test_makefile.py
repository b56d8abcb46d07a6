import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
@pytest.mark.parametrize("verb", ["run", "test"])
def test_what_takes_a_minute_is_said_before_it_begins(verb: str, tmp_path: Path) -> None:
    plan = subprocess.run(
        ["make", "--dry-run", verb, f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert (
        plan.index("Setting up") < plan.index("-m venv") < plan.index("Installing packages") < plan.index("pip install")
    )
    assert "--quiet" not in plan
