"""What the tests of hub-ui try share."""

from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from hub_ui import cli
from tests.hub_ui.library.shared_hubs import Line

REF = "civitai:1001"
LORAS = Path(cli.__file__).parent / "demo" / "data" / "weights" / "loras"


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
