"""`hub-ui try` on a real pipeline of a few hundred kilobytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageChops

from connectors.ref import Ref
from hub_ui import cli
from hub_ui.library import lockfile
from hub_ui.library.entry import Entry
from tests.hub_ui.preview.building import save_base, save_kohya

REF = "civitai:1001"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose more by sharing work between threads than they win."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("base")))


@pytest.fixture(autouse=True)
def library(home: Path) -> Path:
    """A library that holds one LoRA for that base, so that no hub is asked."""
    folder = home / "loras"
    entry = Entry(
        ref=Ref.parse("civitai:1001@2001#3001"), title="Ink", file="tiny-shapes/ink.safetensors", size=1,
        sha256="0" * 64, source="", architecture="tiny-shapes", trigger_words=("ink",), weight=0.8,
    )  # fmt: skip
    (folder / "tiny-shapes").mkdir(parents=True)
    save_kohya(folder / entry.file)
    (folder / "loras.lock").write_text(lockfile.dumps([entry]), encoding="utf-8")
    return folder


def tried(out: Path, base: str, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "2", "--out", str(out), "--json", *more]
    assert cli.main(words) == 0
    return json.loads(capsys.readouterr().out)


def same(one: Path, other: Path) -> bool:
    with Image.open(one) as first, Image.open(other) as second:
        return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None


def test_try_makes_an_image_and_says_how(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = tried(tmp_path / "cat.png", base, capsys, "--seed", "7")
    assert made["loras"] == [{"ref": "civitai:1001@2001#3001", "weight": 0.8}]
    assert (made["prompt"], made["seed"], made["steps"]) == ("ink, a cat", 7, 2)
    assert made["applied"] == made["total"] > 0
    with Image.open(tmp_path / "cat.png") as image:
        assert image.size == (made["width"], made["height"])


def test_again_makes_the_same_image(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    tried(tmp_path / "one.png", base, capsys)
    assert cli.main(["try", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png")]) == 0
    assert same(tmp_path / "one.png", tmp_path / "two.png")


def test_the_weight_makes_a_difference(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    tried(tmp_path / "none.png", base, capsys, "--seed", "7", "--weight", "0")
    tried(tmp_path / "full.png", base, capsys, "--seed", "7", "--weight", "1")
    assert not same(tmp_path / "none.png", tmp_path / "full.png")


@pytest.mark.parametrize(
    "line",
    [
        "try civitai:1001 --out x.png",
        "try --prompt cat --out x.png",
        "try civitai:1001 --prompt cat --out x.jpg",
        "try civitai:1001 --prompt cat --out nowhere/x.png",
        "try civitai:1001 --prompt cat --weight 1 --weight 2 --out x.png",
        "try civitai:1001 --prompt cat --again x.png --out x.png",
        "try --again missing.png --out x.png",
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(line: str) -> None:
    assert cli.main(line.split()) == 2
