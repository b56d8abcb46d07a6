"""`hub-ui try` on a real pipeline of a few hundred kilobytes."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from connectors.errors import Gated, NeedsFetching, NoBase
from connectors.ref import Ref
from hub_ui import cli
from hub_ui.commands.progress import words
from hub_ui.generate.base_models.download import Plan
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationRequest, GenerationResult, Step
from hub_ui.images import png_metadata
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from tests.hub_ui.generate import making
from tests.hub_ui.generate.building import save_base, save_kohya
from tests.hub_ui.library.building import weights
from tests.hub_ui.library.shared_hubs import REPLICATE, Line

REF = "civitai:1001"
LORAS = Path(cli.__file__).parent / "demo" / "data" / "weights" / "loras"


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
    (folder / "tiny-shapes").mkdir(parents=True)
    path = folder / "tiny-shapes" / "ink.safetensors"
    save_kohya(path)
    entry = Entry(
        ref=Ref.parse("civitai:1001@2001#3001"), title="Ink", file="tiny-shapes/ink.safetensors", size=1,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), source="", architecture="tiny-shapes",
        trigger_words=("ink",), weight=0.8,
    )  # fmt: skip
    (folder / "loras.lock").write_text(lockfile.dumps([entry]), encoding="utf-8")
    return folder


def tried(out: Path, base: str, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "2", "--size", "32x32", "--out", str(out)]
    assert cli.main([*words, "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def same(one: Path, other: Path) -> bool:
    with Image.open(one) as first, Image.open(other) as second:
        return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None


def a1111(path: Path, text: str) -> Path:
    info = PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (32, 32)).save(path, pnginfo=info)
    return path


def test_try_makes_an_image_and_says_how(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = tried(tmp_path / "cat.png", base, capsys, "--seed", "7")
    assert made["loras"] == [{"ref": "civitai:1001@2001#3001", "weight": 0.8}]
    assert (made["prompt"], made["seed"], made["steps"]) == ("ink, a cat", 7, 2)
    assert made["applied"] == made["total"] > 0
    assert (made["place"], made["notes"], made["sheet"], made["unmatched"]) == ("local", [], None, [])
    with Image.open(tmp_path / "cat.png") as image:
        assert image.size == (made["width"], made["height"]) == (32, 32)


def test_a_file_anywhere_on_the_disk_is_tried_by_its_path_alone(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its base and its trigger words are those that its own header proves."""
    Path(shutil.copy(LORAS / "sks-robot-v1.safetensors", tmp_path / "My Robot.safetensors"))
    monkeypatch.chdir(tmp_path)
    words = ["try", "./My Robot.safetensors", "--prompt", "on a hill", "--steps", "1", "--size", "32x32"]
    code, made = line(*words, "--out", "a.png")
    sha256 = hashlib.sha256((tmp_path / "My Robot.safetensors").read_bytes()).hexdigest()
    assert (code, made["loras"]) == (0, [{"ref": f"local:My Robot@{sha256}", "weight": 1.0}])
    assert (made["base"], made["prompt"]) == ("Tiny Shapes", "sks robot, on a hill")
    assert made["applied"] == made["total"] > 0


def test_a_file_whose_bytes_the_library_knows_has_the_words_of_its_entry(
    tmp_path: Path, base: str, library: Path, line: Line
) -> None:
    copy = Path(shutil.copy(library / "tiny-shapes" / "ink.safetensors", tmp_path / "copy.safetensors"))
    words = ["try", str(copy), "--prompt", "a cat", "--base", base, "--estimate"]
    code, told = line(*words)
    assert (code, told["loras"]) == (0, [{"ref": "civitai:1001@2001#3001", "weight": 0.8}])


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


def test_a_checkpoint_is_no_lora_to_be_tried(tmp_path: Path, base: str, line: Line) -> None:
    path = tmp_path / "vae.safetensors"
    path.write_bytes(weights())
    code, told = line("try", str(path), "--prompt", "a cat", "--base", base, "--out", str(tmp_path / "a.png"))
    assert (code, told["error"]) == (1, "DoesNotFit")
    assert told["message"].startswith("“vae” can't be tried here.")


@pytest.mark.usefixtures("hubs")
def test_a_file_of_this_disk_does_not_run_on_replicate(tmp_path: Path, line: Line) -> None:
    path = save_kohya(tmp_path / "My Robot.safetensors", seed=3)
    words = ["try", REPLICATE, str(path), "--prompt", "a cat", "--on", "replicate", "--yes"]
    code, told = line(*words, "--out", str(tmp_path / "a.png"))
    assert (code, told["error"]) == (2, "UsageError")
    assert told["message"] == (
        "“My Robot” is a file of this computer, which Replicate can't fetch. Try it here instead."
    )


def test_coverage_is_said_in_a_sentence(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = tried(tmp_path / "cat.png", base, capsys)
    (coverage,) = made["coverage"]
    assert (coverage["title"], coverage["missed"]) == ("Ink", [])
    assert coverage["sentence"] == f"{made['applied']} of {made['total']} tensors applied"


def test_the_time_it_takes_is_said_first(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "2", "--size", "32x32"]
    assert cli.main([*words, "--out", str(tmp_path / "cat.png")]) == 0
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert told.out == f"{tmp_path / 'cat.png'}\n"
    assert "for one image on this CPU" in lines[0]
    assert lines[-1].startswith("Ink: 72 of 72 tensors applied")


def test_again_makes_the_same_image(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    tried(tmp_path / "one.png", base, capsys)
    assert cli.main(["try", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png")]) == 0
    assert same(tmp_path / "one.png", tmp_path / "two.png")


def test_again_with_a_lora_of_the_text_encoder(
    tmp_path: Path, base: str, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tried(tmp_path / "plain.png", base, capsys, "--seed", "7")
    save_kohya(library / "tiny-shapes" / "ink.safetensors", text=True)
    made = tried(tmp_path / "one.png", base, capsys, "--seed", "7")
    assert made["applied"] == made["total"] > plain["total"]
    assert cli.main(["try", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png")]) == 0
    assert same(tmp_path / "one.png", tmp_path / "two.png")
    assert not same(tmp_path / "one.png", tmp_path / "plain.png")


def test_again_keeps_everything_that_was_asked(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--sampler", "euler", "--guidance", "3", "--negative", "dull", "--no-trigger-words", "--weight", "0.5"]
    first = tried(tmp_path / "one.png", base, capsys, *more)
    assert cli.main(["try", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png"), "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    for key in ("loras", "prompt", "sampler", "guidance", "seed"):
        assert first[key] == second[key]
    assert (first["sampler"], first["guidance"], first["prompt"]) == ("Euler", 3.0, "a cat")
    assert same(tmp_path / "one.png", tmp_path / "two.png")


def test_a_base_that_lies_elsewhere_by_now_is_named_anew(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(base, moved)
    tried(tmp_path / "one.png", str(moved), capsys)
    shutil.rmtree(moved)
    words = ["try", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png"), "--json"]
    assert cli.main(words) == 1
    capsys.readouterr()
    assert cli.main([*words, "--base", base]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [f"It was made on {moved}, and this one on {base}."]
    assert same(tmp_path / "one.png", tmp_path / "two.png")


def test_a_changed_file_is_told_when_it_is_made_again(
    tmp_path: Path, base: str, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried(tmp_path / "one.png", base, capsys)
    save_kohya(library / "tiny-shapes" / "ink.safetensors", seed=9)
    assert cli.main(["try", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png"), "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert notes == [
        "“Ink” is not what the lock file pins: its bytes were changed on this disk. hub-ui sync brings the right ones "
        "back.",
        "“Ink” is not the file that the picture was made with: its bytes are others.",
    ]
    assert not same(tmp_path / "one.png", tmp_path / "two.png")


def test_the_weight_makes_a_difference(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    tried(tmp_path / "none.png", base, capsys, "--seed", "7", "--weight", "0")
    tried(tmp_path / "full.png", base, capsys, "--seed", "7", "--weight", "1")
    assert not same(tmp_path / "none.png", tmp_path / "full.png")


def test_a_strip_is_one_labelled_image_and_its_cells(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = tmp_path / "cells"
    made = tried(
        tmp_path / "s.png", base, capsys, "--sheet", "strip", "--weights-of", "0,0.5,1", "--cells", str(cells)
    )  # fmt: skip
    assert (made["sheet"]["kind"], made["sheet"]["columns"]) == ("strip", ["0", "0.5", "1"])
    assert [cell["out"] for cell in made["sheet"]["cells"]] == [str(cells / f"0{i}.png") for i in (1, 2, 3)]
    with Image.open(tmp_path / "s.png") as image:
        assert image.width > 3 * 32
    with Image.open(cells / "03.png") as image:
        assert (image.size, "<lora:ink:1>" in image.info["parameters"]) == ((32, 32), True)


def test_a_sheet_is_made_again_whole(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    tried(tmp_path / "one.png", base, capsys, "--sheet", "pair")
    assert cli.main(["try", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png")]) == 0
    assert same(tmp_path / "one.png", tmp_path / "two.png")


def test_further_prompts_are_rows_of_a_grid(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = tried(tmp_path / "g.png", base, capsys, "--sheet", "grid", "--prompt", "a dog", "--weights-of", "0,1")
    assert (made["sheet"]["rows"], len(made["sheet"]["cells"])) == (["a cat", "a dog"], 4)


def test_an_estimate_makes_nothing(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--size", "32x32", "--estimate"]
    assert cli.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["fetch"], told["place"], told["pictures"]) == (None, "local", 1)
    assert "for one image on this CPU" in told["estimate"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"{base} is on this disk: nothing has to be downloaded."


def test_an_estimate_of_what_cannot_be_had_says_how_long_all_the_same(
    base: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gated(*_: object) -> Plan:
        raise Gated("Agree to its licence first.", hub="huggingface")

    monkeypatch.setattr("hub_ui.generate.base_models.download.plan_download", gated)
    assert cli.main(["try", REF, "--prompt", "a cat", "--base", base, "--estimate"]) == 3
    told = capsys.readouterr()
    assert "for one image on this CPU" in told.out
    assert told.err == "hub-ui: Agree to its licence first.\n"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base that has to be fetched, which nobody does here."""

    def generate(_studio: Engine, job: GenerationRequest, _sheet: Comparison, **_: Any) -> GenerationResult:
        if job.may_fetch:
            raise NoBase("Fetched, as far as this test is concerned.")
        raise NeedsFetching(
            "SD 1.5 (2.1 GB from a/b) has to be downloaded first.", label="SD 1.5", repo="a/b", bytes=2_100_000_000,
            present=0, free=9_000_000_000, license="openrail", gated=False,
        )  # fmt: skip

    monkeypatch.setattr(Engine, "generate", generate)


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("typed", "more", "told"),
    [
        (None, [], "SD 1.5 (2.1 GB from a/b) has to be downloaded first."),
        ("n", [], "SD 1.5 (2.1 GB from a/b) has to be downloaded first."),
        ("y", [], "Fetched, as far as this test is concerned."),
        (None, ["--fetch"], "Fetched, as far as this test is concerned."),
    ],
)
def test_gigabytes_are_fetched_only_when_a_person_agrees(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    typed: str | None, more: list[str], told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Keyboard(f"{typed}\n"))
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--out", str(tmp_path / "a.png"), *more]
    assert cli.main(words) == 1
    question, said = "Download it now? [y/N] ", capsys.readouterr().err
    assert said.splitlines()[-1].removeprefix(question) == f"hub-ui: {told}"
    assert (question in said) is (typed is not None)


def test_a_picture_that_steers_nothing_is_told(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "pose.png")
    made = tried(tmp_path / "a.png", base, capsys, "--control", str(tmp_path / "pose.png"))
    assert made["notes"] == ["No LoRA here is steered by a picture, so the control picture was not used."]
    assert cli.main(["try", "--again", str(tmp_path / "a.png"), "--out", str(tmp_path / "b.png")]) == 0


def test_the_picture_that_steered_has_to_lie_beside_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "pose.png")
    png_metadata.save(making.made(making.job(control=tmp_path / "pose.png")), 0, tmp_path / "a.png")
    (tmp_path / "pose.png").unlink()
    assert cli.main(["try", "--again", str(tmp_path / "a.png"), "--out", str(tmp_path / "b.png")]) == 2
    assert capsys.readouterr().err.strip() == (
        "hub-ui: a.png was steered by pose.png, which does not lie beside it. Name that picture with --control FILE."
    )


def test_a_picture_of_a1111_is_made_again_as_far_as_it_goes(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "a cat <lora:ink:0.5> <lora:nobody:1>\nNegative prompt: dull\n"
        "Steps: 2, Sampler: Euler a, CFG scale: 3, Seed: 5, Size: 32x32, Clip skip: 2"
    )
    words = ["try", "--again", str(a1111(tmp_path / "a.png", text)), "--base", base, "--out", str(tmp_path / "b.png")]
    assert cli.main([*words, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["loras"] == [{"ref": "civitai:1001@2001#3001", "weight": 0.5}]
    assert (made["prompt"], made["seed"], made["sampler"], made["guidance"]) == ("a cat", 5, "Euler a", 3.0)
    assert made["notes"] == [
        "Not taken over: clip skip 2.",
        "“nobody” could not be found here: it was left out.",
        "Another program made it, and its seeds stand for other noise: expect one like it, not the same.",
    ]


@pytest.mark.usefixtures("hubs")
def test_civitais_own_list_names_a_lora_of_the_library(tmp_path: Path, base: str, line: Line) -> None:
    listed = '[{"type":"lora","weight":0.7,"modelVersionId":2001},{"type":"lora","weight":1,"modelVersionId":9}]'
    path = a1111(tmp_path / "a.png", f"a cat\nSteps: 2, Seed: 5, Civitai resources: {listed}")
    code, told = line("try", "--again", str(path), "--base", base, "--estimate")
    assert (code, told["loras"]) == (0, [{"ref": "civitai:1001@2001#3001", "weight": 0.7}])
    assert "“9” could not be found here: it was left out." in told["notes"]


def test_a_picture_of_a1111_without_anything_known_asks_for_a_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a1111(tmp_path / "a.png", "a cat <lora:nobody:1>\nSteps: 2, Seed: 5")
    assert cli.main(["try", "--again", str(path), "--out", str(tmp_path / "b.png")]) == 2
    assert capsys.readouterr().err.strip() == (
        "hub-ui: None of the LoRAs that a.png names could be found here or by their hashes, and its base model is none "
        "of ours. Choose one: --base sdxl-1.0, for example."
    )


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", 7, "“Ink”: This is an empty file, not a safetensors file."),
        (b"\x80\x04K\x01.", 7, "“Ink”: This is a Python pickle, which can run code when loaded"),
        (b"\x02" + bytes(7) + b"{}", 1, "“Ink” can't be tried here. This is no LoRA for images or videos"),
    ],
)
def test_a_file_that_is_no_lora_any_more_is_told_by_its_title(
    tmp_path: Path, library: Path, capsys: pytest.CaptureFixture[str], data: bytes, code: int, said: str
) -> None:
    (library / "tiny-shapes" / "ink.safetensors").write_bytes(data)
    assert cli.main(["try", REF, "--prompt", "a cat", "--out", str(tmp_path / "x.png")]) == code
    assert capsys.readouterr().err.startswith(f"hub-ui: {said}")


def test_ctrl_c_reaches_threads_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def interrupted(
        _self: Engine, _job: GenerationRequest, _sheet: Comparison, *, cancelled: Callable[[], bool], **_: Any
    ) -> GenerationResult:
        seen.append(cancelled())
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            seen.append(cancelled())
        raise AssertionError

    monkeypatch.setattr(Engine, "make", interrupted)
    # A shell that starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert cli.main(["try", REF, "--prompt", "a cat", "--out", str(tmp_path / "x.png")]) == cli.INTERRUPTED
        after = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (seen, after, [*tmp_path.glob("*.png")]) == ([False, True], signal.default_int_handler, [])


def test_bytes_are_told_as_a_share() -> None:
    assert words(Step(stage="Fetching SDXL (6.9 GB)", done=1_380_000_000, total=6_900_000_000)) == (
        "Fetching SDXL (6.9 GB): 20 %"
    )
    assert words(Step(stage="Drawing", done=3, total=20)) == "Drawing: 3 of 20"


def test_a_folder_of_that_name_is_told_before_anything_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.png").mkdir()
    assert cli.main(["try", REF, "--prompt", "a cat", "--out", str(tmp_path / "x.png")]) == 2
    assert capsys.readouterr().err == f"hub-ui: --out {tmp_path / 'x.png'}: this is a folder. Name a file.\n"


def test_a_picture_that_can_t_be_written_leaves_the_old_one_and_is_kept(
    tmp_path: Path, base: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_made: GenerationResult, _image: Image.Image, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(png_metadata, "save_comparison", full)
    out = tmp_path / "old.png"
    out.write_bytes(b"old")
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "1", "--size", "32x32", "--sheet", "pair"]
    assert cli.main([*words, "--out", str(out)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        f"hub-ui: {out} can't be written: No space left on device. Pictures drawn lately are in {home / 'pictures'}."
    )
    assert (out.read_bytes(), [*tmp_path.glob(".*")]) == (b"old", [])
    assert len([*(home / "pictures").glob("*.png")]) == 2


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
        "try civitai:1001 --prompt cat --seed -1 --out x.png",
        "try civitai:1001 --prompt cat --seed 9223372036854775808 --out x.png",
        "try civitai:1001 --prompt cat --guidance inf --out x.png",
        "try civitai:1001 --prompt cat --weight nan --out x.png",
        "try civitai:1001 --prompt cat --sheet strip --weights-of 0,nan --out x.png",
        "try --again missing.png --out x.png",
        "try civitai:1001 --prompt cat --prompt dog --out x.png",
        "try civitai:1001 --prompt cat --weights-of 0,1 --out x.png",
        "try civitai:1001 --prompt cat --weights-of none --sheet strip --out x.png",
        "try civitai:1001 --prompt cat --cells d --out x.png",
        "try civitai:1001 --prompt cat --sheet strip --cells nowhere/d --out x.png",
        "try civitai:1001 --prompt cat --sheet strip --cells README.md --out x.png",
        "try civitai:1001 --prompt cat --size big --out x.png",
        "try civitai:1001 --prompt cat --sampler nobodys --out x.png",
        "try civitai:1001 --prompt cat --control missing.png --out x.png",
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(line: str) -> None:
    assert cli.main(line.split()) == 2


@pytest.mark.parametrize("more", [["--guidance", "0"], ["--seed", "0"], ["--weight", "0"], ["--no-trigger-words"]])
def test_what_goes_not_with_again_is_said(capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    assert cli.main(["try", "--again", "x.png", "--out", "y.png", *more]) == 2
    assert "leave them out" in capsys.readouterr().err


@pytest.mark.usefixtures("hubs")
def test_replicate_makes_it_with_the_price_first(
    tmp_path: Path, line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["try", REPLICATE, "--prompt", "a pier", "--on", "replicate", "--seed", "7"]
    assert cli.main([*words, "--yes", "--out", str(tmp_path / "one.png")]) == 0
    assert "$" in capsys.readouterr().err.splitlines()[0]
    code, told = line(*words, "--estimate")
    assert (code, told["place"], told["fetch"]) == (0, "replicate", None)
    code, made = line("try", "--yes", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png"))
    assert (code, made["place"], made["seed"], made["coverage"]) == (0, "replicate", 7, [])


@pytest.mark.usefixtures("hubs")
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (None, "Drawing on Replicate costs money. Add --yes to start it without being asked."),
        ("n", "Not started. Nothing was sent, and nothing is paid."),
    ],
)
def test_nothing_is_spent_on_replicate_without_a_persons_word(
    typed: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Keyboard(f"{typed}\n"))
    words = ["try", REPLICATE, "--prompt", "a pier", "--on", "replicate", "--out", str(tmp_path / "one.png")]
    assert cli.main(words) == 2
    assert capsys.readouterr().err.endswith(f"hub-ui: {said}\n")
    assert not (tmp_path / "one.png").exists()


def test_a_base_that_is_none_is_a_usage_error_before_anything_is_pulled(tmp_path: Path, line: Line) -> None:
    words = ["try", "civitai:404", "--prompt", "a boat", "--base", "sdx1", "--out", str(tmp_path / "a.png")]
    code, said = line(*words)
    assert (code, said["error"]) == (2, "UsageError")
    assert said["message"].startswith("“sdx1” is no base model. Did you mean “sd1”, “sdxl” or “sdxl-1.0”?")


def test_a_weight_far_from_usual_is_drawn_with_a_warning_above_it(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["try", REF, "--prompt", "a boat", "--base", base, "--steps", "1", "--size", "64x64"]
    assert cli.main([*words, "--weight", "99", "--out", str(tmp_path / "a.png")]) == 0
    assert capsys.readouterr().err.startswith("Weight 99 is far from usual: 1 is the full effect")
    assert cli.main([*words, "--weight", "2", "--out", str(tmp_path / "a.png")]) == 0
    assert "far from usual" not in capsys.readouterr().err


@pytest.mark.usefixtures("hubs")
def test_a_lora_that_the_library_lacks_is_found_by_its_hash(tmp_path: Path, base: str, line: Line) -> None:
    _, shown = line("show", "civitai:1002")
    text = f'a cat <lora:far:0.5>\nSteps: 2, Seed: 5, Lora hashes: "far: {shown["file"]["sha256"][:10]}"'
    words = ["try", "--again", str(a1111(tmp_path / "a.png", text)), "--base", base, "--estimate"]
    code, told = line(*words)
    # It is for another base, which proves that it was found.
    assert (code, told["error"]) == (1, "DoesNotFit")
    assert told["message"].startswith("The LoRA is for sdxl, but ")
