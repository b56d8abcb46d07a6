"""Options of `hub-ui try` that contradict each other, or that name what is not there."""

from pathlib import Path

import pytest

from hub_ui import cli
from tests.hub_ui.commands.try_.images import REF
from tests.hub_ui.library.shared_hubs import Line


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("gone.safetensors", 4, "There is no file"),
        ("folder", 2, "is a folder. Name one of the .safetensors files in it."),
        ("old.ckpt", 7, "old.ckpt has an older format, which can run code when loaded. It was not read."),
        ("page.safetensors", 7, ""),
    ],
)
def test_a_path_that_cannot_be_tried_is_told(name: str, code: int, said: str, tmp_path: Path, line: Line) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "old.ckpt").write_bytes(b"\x80\x02")
    (tmp_path / "page.safetensors").write_bytes(b"<html>not a LoRA</html>")
    words = ["try", str(tmp_path / name), "--prompt", "a cat", "--out", str(tmp_path / "a.png")]
    ended, told = line(*words)
    assert ended == code
    assert said in told["message"]


def test_a_folder_of_that_name_is_told_before_anything_is_drawn(tmp_path: Path, line: Line) -> None:
    (tmp_path / "x.png").mkdir()
    assert line.run("try", REF, "--prompt", "a cat", "--out", str(tmp_path / "x.png")) == 2
    assert line.err == f"hub-ui: --out {tmp_path / 'x.png'}: this is a folder. Name a file.\n"


@pytest.mark.parametrize(
    "line",
    [
        "try civitai:1001 --out x.png",
        "try --prompt cat --out x.png",
        "try civitai:1001 --prompt cat",
        "try civitai:1001 --prompt cat --out x.jpg",
        "try civitai:1001 --prompt cat --out nowhere/x.png",
        "try civitai:1001 --prompt cat --weight 1 --weight 2 --out x.png",
        "try civitai:1001 --prompt cat --again x.png --out x.png",
        "try civitai:1001 --prompt cat --clip-weight 1 --clip-weight 2 --out x.png",
        "try civitai:1001 --prompt cat --blocks ALL --blocks NONE --out x.png",
        "try civitai:1001 --prompt cat --draft --full --out x.png",
        "try civitai:1001 --prompt cat --draft --on replicate --out x.png",
        "try --again missing.png --out x.png",
        "try civitai:1001 --prompt cat --prompt dog --out x.png",
        "try civitai:1001 --prompt cat --weights-of 0,1 --out x.png",
        "try civitai:1001 --prompt cat --weights-of none --compare strip --out x.png",
        "try civitai:1001 --prompt cat --cells d --out x.png",
        "try civitai:1001 --prompt cat --compare strip --cells nowhere/d --out x.png",
        "try civitai:1001 --prompt cat --compare strip --cells README.md --out x.png",
        "try civitai:1001 --prompt cat --size big --out x.png",
        "try civitai:1001 --prompt cat --memory 12GB --out x.png",
        "try civitai:1001 --prompt cat --sampler nobodys --out x.png",
        "try civitai:1001 --prompt cat --control missing.png --out x.png",
        "try civitai:1001 --prompt cat --image missing.png --out x.png",
        "try civitai:1001 --prompt cat --strength 0.5 --out x.png",
        "try civitai:1001 --prompt cat --image README.md --control README.md --out x.png",
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(line: str) -> None:
    assert cli.main(line.split()) == 2


@pytest.mark.parametrize(
    "more", [["--guidance", "0"], ["--seed", "0"], ["--weight", "0"], ["--blocks", "ALL"], ["--no-trigger-words"]]
)
def test_what_goes_not_with_again_is_said(line: Line, more: list[str]) -> None:
    assert line.run("try", "--again", "x.png", "--out", "y.png", *more) == 2
    assert "leave them out" in line.err


def test_a_base_that_is_none_is_a_usage_error_before_anything_is_pulled(tmp_path: Path, line: Line) -> None:
    words = ["try", "civitai:404", "--prompt", "a boat", "--base", "sdx1", "--out", str(tmp_path / "a.png")]
    code, said = line(*words)
    assert (code, said["error"]) == (2, "UsageError")
    assert said["message"].startswith("“sdx1” is no base model. Did you mean “sd1”, “sdxl” or “sdxl-1.0”?")


def test_a_weight_far_from_usual_is_drawn_with_a_warning_above_it(tmp_path: Path, base: str, line: Line) -> None:
    words = ["try", REF, "--prompt", "a boat", "--base", base, "--steps", "1", "--size", "64x64"]
    assert line.run(*words, "--weight", "99", "--out", str(tmp_path / "a.png")) == 0
    assert line.err.startswith("Weight 99 is far from usual: 1 is the full effect")
    assert line(*words, "--weight", "2", "--estimate")[1]["notes"] == []
