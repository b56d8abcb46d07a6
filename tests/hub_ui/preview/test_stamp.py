from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.preview import stamp
from hub_ui.preview.job import Adapter, Job, One, Picture, Report

INK = Ref.parse("civitai:1001@2001#3001")


def one() -> One:
    report = Report(
        base="SD 1.5", device="CPU", applied=2, total=2, unmatched=(), switch_seconds=0.1, seed=7, steps=20,
        prompt="sks style, a “cat” 猫", guidance=4.0,
    )  # fmt: skip
    return One(picture=Picture(image=Image.new("RGB", (32, 16)), seconds=1.0), report=report)


def asked() -> Job:
    adapters = (Adapter(ref=INK, path=Path("ink.safetensors"), title="Ink", weight=0.8, trigger_words=("sks style",)),)
    return Job(adapters=adapters, prompt="a “cat” 猫", negative="blurred", seed=7)


def test_a_picture_is_made_again_from_what_it_says(tmp_path: Path) -> None:
    stamp.save(one(), asked(), tmp_path / "a.png")
    again = stamp.read(tmp_path / "a.png").job(lambda ref, weight: asked().adapters[0])
    assert again == Job(
        adapters=asked().adapters, prompt="a “cat” 猫", negative="blurred", seed=7, steps=20, guidance=4.0, width=32,
        height=16, base=None, use_trigger_words=True,
    )  # fmt: skip


def test_refs_and_weights_are_read_back(tmp_path: Path) -> None:
    stamp.save(one(), asked(), tmp_path / "a.png")
    read = stamp.read(tmp_path / "a.png")
    assert (read.refs, read.weights) == ((INK,), (0.8,))


def test_other_programs_find_the_parameters(tmp_path: Path) -> None:
    stamp.save(one(), asked(), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        text = image.info["parameters"]
    assert text == (
        "sks style, a “cat” 猫\nNegative prompt: blurred\nSteps: 20, CFG scale: 4, Seed: 7, Size: 32x16, "
        "Model: SD 1.5, LoRAs: civitai:1001@2001#3001: 0.8"
    )


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "{}", '{"version": 2}', '{"version": 1, "loras": [{"ref": "?"}]}']
)
def test_a_stamp_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    info = PngInfo()
    info.add_itxt(stamp.KEY, text)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(UsageError, match="can't be read"):
        stamp.read(tmp_path / "a.png")


def test_pictures_of_others_say_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="does not say"):
        stamp.read(tmp_path / "a.png")


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_files_that_are_no_pictures_are_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UsageError, match="as a picture"):
        stamp.read(tmp_path / "a.png")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="as a picture"):
        stamp.read(tmp_path / "nobody.png")
