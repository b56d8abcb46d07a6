"""A LoRA on a base that it was not made for is said by the estimate, the plan, the result and the image."""

import hashlib
import shutil
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.images import png_metadata
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from tests.hub_ui.commands.try_.images import LORAS
from tests.hub_ui.library.shared_hubs import Line

REMARK = "“Ink” was made for Halcyon 2, and runs on Tiny Shapes. Images can differ from its examples."
WORDS = ["try", "civitai:1001", "--prompt", "a cat", "--base", "tiny-shapes", "--steps", "1", "--size", "32x32"]


@pytest.fixture(autouse=True)
def _halcyon(library: Path) -> None:
    """The entry of the library is for a base that no table has."""
    path = Path(shutil.copy(LORAS / "ink-outline.safetensors", library / "tiny-shapes" / "ink.safetensors"))
    entry = Entry(
        ref=Ref.parse("civitai:1001@2001#3001"), title="Ink", file="tiny-shapes/ink.safetensors", size=1,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), source="", architecture="tiny-shapes",
        base_model="Halcyon 2",
    )  # fmt: skip
    (library / "loras.lock").write_text(lockfile.dumps([entry]), encoding="utf-8")


def test_a_substitute_is_said_wherever_it_is_tried(tmp_path: Path, line: Line) -> None:
    code, made = line(*WORDS, "--out", str(tmp_path / "cat.png"))
    assert (code, made["notes"]) == (0, [REMARK])
    report = png_metadata.read(tmp_path / "cat.png").report
    assert report is not None
    assert report.notes == (REMARK,)
    code, told = line(*WORDS, "--estimate")
    assert (code, told["notes"]) == (0, [REMARK])
    assert told["estimate"].endswith(f". {REMARK}")
    code, planned = line("try", "--plan", "civitai:1001", "--base", "tiny-shapes", "--memory", "8GB")
    assert (code, planned["notes"]) == (0, [REMARK])
