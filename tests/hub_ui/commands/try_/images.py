"""What the tests of hub-ui try share."""

from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from hub_ui.commands import cli
from hub_ui.library import lockfile
from tests.hub_ui.library.building import entry, sha256
from tests.hub_ui.library.shared_hubs import Line

REF = "civitai:1001"
LORAS = Path(cli.__file__).parents[1] / "demo" / "data" / "weights" / "loras"
INK = "tiny-shapes/ink.safetensors"


def enter(library: Path, **fields: Any) -> Path:
    """The lock file of a library that holds INK alone."""
    of_file = {"file": INK, "sha256": sha256((library / INK).read_bytes()), "architecture": "tiny-shapes"}
    made = entry(title="Ink", source="", **of_file, **fields)
    (library / "loras.lock").write_text(lockfile.dumps([made]), encoding="utf-8")
    return library


def made(line: Line, *words: str) -> Any:
    code, document = line("try", *words)
    assert code == 0, document
    return document


def generate(out: Path, base: str, line: Line, *more: str) -> Any:
    words = [REF, "--prompt", "a cat", "--base", base, "--steps", "2", "--size", "32x32", "--out", str(out)]
    return made(line, *words, *more)


def is_same(one: Path, other: Path) -> bool:
    with Image.open(one) as first, Image.open(other) as second:
        return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None
