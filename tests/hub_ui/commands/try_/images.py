"""What the tests of hub-ui try share."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from hub_ui import cli

REF = "civitai:1001"
LORAS = Path(cli.__file__).parent / "demo" / "data" / "weights" / "loras"


def generate(out: Path, base: str, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "2", "--size", "32x32", "--out", str(out)]
    assert cli.main([*words, "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def is_same(one: Path, other: Path) -> bool:
    with Image.open(one) as first, Image.open(other) as second:
        return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None


def a1111(path: Path, text: str) -> Path:
    info = PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (32, 32)).save(path, pnginfo=info)
    return path
