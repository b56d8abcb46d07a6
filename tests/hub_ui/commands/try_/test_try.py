"""`hub-ui try` on a real pipeline of a few hundred kilobytes, and what --plan says of a base without loading it."""

import errno
import hashlib
import io
import os
import shutil
import signal
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PIL import Image

from connectors.errors import Gated, NeedsFetching, NoBase
from hub_ui.commands import cli, memory_size
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import Callbacks, GenerationRequest
from hub_ui.generate.result import GenerationResult
from hub_ui.images import png_metadata
from tests.connectors.weights.building import file_of, raw_header
from tests.hub_ui.commands.try_.images import LORAS, REF, generate, made
from tests.hub_ui.generate.building import save_kohya
from tests.hub_ui.library.shared_hubs import REPLICATE, Line
from tests.hub_ui.stand_ins import Screen

GIBIBYTE = 2**30


def test_try_makes_an_image_and_says_how(tmp_path: Path, base: str, line: Line) -> None:
    made = generate(tmp_path / "cat.png", base, line, "--seed", "7")
    assert made["loras"] == [{"ref": "civitai:1001@2001#3001", "weight": 0.8}]
    assert (made["prompt"], made["seed"], made["steps"]) == ("ink, a cat", 7, 2)
    assert made["applied"] == made["total"] > 0
    assert (made["place"], made["notes"], made["sheet"], made["unmatched"]) == ("local", [], None, [])
    with Image.open(tmp_path / "cat.png") as image:
        assert image.size == (made["width"], made["height"]) == (32, 32)


def test_a_file_of_the_disk_is_tried_by_its_path(tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.usefixtures("hubs")
def test_a_file_of_this_disk_does_not_run_on_replicate(tmp_path: Path, line: Line) -> None:
    path = save_kohya(tmp_path / "My Robot.safetensors", seed=3)
    words = ["try", REPLICATE, str(path), "--prompt", "a cat", "--on", "replicate", "--yes"]
    code, told = line(*words, "--out", str(tmp_path / "a.png"))
    assert (code, told["error"]) == (2, "UsageError")
    assert told["message"] == (
        "“My Robot” is a file of this computer, which Replicate can't fetch. Try it here instead."
    )


def test_the_time_it_takes_is_said_first_and_how_it_was_made_last(tmp_path: Path, base: str, line: Line) -> None:
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "2", "--size", "32x32"]
    assert line.run(*words, "--out", str(tmp_path / "cat.png")) == 0
    lines = line.err.splitlines()
    assert line.out == f"{tmp_path / 'cat.png'}\n"
    assert "for 1 image on this CPU" in lines[0]
    assert ", 2 steps, " in lines[-2]
    assert lines[-1].startswith("Ink: 72 of 72 tensors applied")


def test_a_strip_is_one_labelled_image_and_its_cells(tmp_path: Path, base: str, line: Line) -> None:
    cells = tmp_path / "cells"
    made = generate(
        tmp_path / "s.png", base, line, "--compare", "strip", "--weights-of", "0,0.5,1", "--cells", str(cells)
    )  # fmt: skip
    assert (made["sheet"]["kind"], made["sheet"]["columns"]) == ("strip", ["0", "0.5", "1"])
    assert [cell["out"] for cell in made["sheet"]["cells"]] == [str(cells / f"0{i}.png") for i in (1, 2, 3)]
    with Image.open(tmp_path / "s.png") as image:
        assert image.width > 3 * 32
    with Image.open(cells / "03.png") as image:
        assert (image.size, "<lora:ink:1>" in image.info["parameters"]) == ((32, 32), True)


def test_further_prompts_are_rows_of_a_grid(tmp_path: Path, base: str, line: Line) -> None:
    made = generate(tmp_path / "g.png", base, line, "--sheet", "grid", "--prompt", "a dog", "--weights-of", "0,1")
    assert (made["sheet"]["rows"], len(made["sheet"]["cells"])) == (["a cat", "a dog"], 4)


def test_the_epochs_in_a_folder_are_compared_in_order_of_their_numbers(tmp_path: Path, base: str, line: Line) -> None:
    (tmp_path / "epochs").mkdir()
    for epoch in (10, 9):
        save_kohya(tmp_path / "epochs" / f"ink-{epoch}.safetensors", seed=epoch)
    words = ["try", str(tmp_path / "epochs"), "--prompt", "a cat", "--base", base, "--steps", "1", "--size", "32x32"]
    code, made = line(*words, "--seed", "5", "--compare", "loras", "--seeds", "2", "--out", str(tmp_path / "e.png"))
    assert (code, made["sheet"]["columns"]) == (0, ["ink-9 1", "ink-10 1"])
    assert made["sheet"]["rows"] == ["a cat · seed 5", "a cat · seed 6"]


def test_an_estimate_makes_nothing(tmp_path: Path, base: str, line: Line) -> None:
    words = [REF, "--prompt", "a cat", "--base", base, "--size", "32x32", "--estimate"]
    told = made(line, *words)
    assert (told["fetch"], told["place"], told["pictures"]) == (None, "local", 1)
    assert "for 1 image on this CPU" in told["estimate"]
    assert line.run("try", *words, "--weight", "5") == 0
    assert line.out.splitlines()[1] == f"{base} is on this disk: nothing has to be downloaded."
    assert line.err.startswith("Weight 5 is far from usual")


def test_an_estimate_of_what_cannot_be_had_says_how_long_all_the_same(
    base: str, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    gated = Gated("Agree to its licence first.", hub="huggingface")
    monkeypatch.setattr("hub_ui.generate.base_models.files.plan_download", Mock(side_effect=gated))
    assert line.run("try", REF, "--prompt", "a cat", "--base", base, "--estimate") == 3
    assert "for 1 image on this CPU" in line.out
    assert line.err == "hub-ui: Agree to its licence first.\n"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base that has to be fetched, which nobody does here."""

    def generate(_studio: Engine, job: GenerationRequest, _sheet: Comparison, *_: Any) -> GenerationResult:
        if job.may_fetch:
            raise NoBase("Fetched, as far as this test is concerned.")
        raise NeedsFetching(
            "SD 1.5 (2.1 GB from a/b) has to be downloaded first.", label="SD 1.5", repo="a/b", bytes=2_100_000_000,
            present=0, free=9_000_000_000, license="openrail", gated=False,
        )  # fmt: skip

    monkeypatch.setattr(Engine, "generate", generate)


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
    tmp_path: Path, base: str, line: Line, monkeypatch: pytest.MonkeyPatch,
    typed: str | None, more: list[str], told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Screen(f"{typed}\n"))
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--out", str(tmp_path / "a.png"), *more]
    assert line.run(*words) == 1
    question, said = "Download it now? [y/N] ", line.err
    assert said.splitlines()[-1].removeprefix(question) == f"hub-ui: {told}"
    assert (question in said) is (typed is not None)


def test_a_picture_that_steers_nothing_is_told(tmp_path: Path, base: str, line: Line) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "pose.png")
    made = generate(tmp_path / "a.png", base, line, "--control", str(tmp_path / "pose.png"))
    assert made["notes"] == ["No LoRA here is steered by an image, so the control image was not used."]
    assert line.run("try", "--again", str(tmp_path / "a.png"), "--out", str(tmp_path / "b.png")) == 0


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", 7, "“Ink”: This is an empty file, not a safetensors file."),
        (b"\x80\x04K\x01.", 7, "“Ink”: This is a Python pickle, which can run code when loaded"),
        (b"\x02" + bytes(7) + b"{}", 1, "“Ink” can't be tried here. This is no LoRA for images or videos"),
    ],
)
def test_a_file_that_is_no_lora_any_more_is_told_by_its_title(
    tmp_path: Path, library: Path, line: Line, data: bytes, code: int, said: str
) -> None:
    (library / "tiny-shapes" / "ink.safetensors").write_bytes(data)
    assert line.run("try", REF, "--prompt", "a cat", "--out", str(tmp_path / "x.png")) == code
    assert line.err.startswith(f"hub-ui: {said}")


def test_ctrl_c_reaches_threads_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def interrupt(_self: Engine, _job: GenerationRequest, _sheet: Comparison, callbacks: Callbacks) -> GenerationResult:
        seen.append(callbacks.is_cancelled())
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            seen.append(callbacks.is_cancelled())
        raise AssertionError

    monkeypatch.setattr(Engine, "generate", interrupt)
    # A shell that starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert cli.main(["try", REF, "--prompt", "a cat", "--out", str(tmp_path / "x.png")]) == cli.INTERRUPTED
        after = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (seen, after, [*tmp_path.glob("*.png")]) == ([False, True], signal.default_int_handler, [])


def test_a_name_says_which_file_it_becomes_and_a_comparison_is_a_png(tmp_path: Path, base: str, line: Line) -> None:
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "1", "--size", "32x32", "--seed", "4"]
    out = tmp_path / "a.webp"
    assert line.run(*words, "--out", str(out)) == 0
    with Image.open(out) as image:
        assert (image.format, png_metadata.read(out).seed) == ("WEBP", 4)
    assert line.run(*words, "--compare", "pair", "--out", str(out)) == 2
    assert "a comparison is saved as one PNG" in line.err


def test_a_picture_that_can_t_be_written_leaves_the_old_one_and_is_kept(
    tmp_path: Path, base: str, home: Path, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    out, flush = tmp_path / "old.png", os.fsync

    def full(number: int) -> None:
        if (tmp_path / "old.png.new").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(number)

    monkeypatch.setattr(os, "fsync", full)
    out.write_bytes(b"old")
    words = ["try", REF, "--prompt", "a cat", "--base", base, "--steps", "1", "--size", "32x32", "--sheet", "pair"]
    assert line.run(*words, "--out", str(out)) == 1
    last = line.err.splitlines()[-1]
    assert last == (
        f"hub-ui: {out} can't be written: No space left on device. Images generated lately are in {home / 'pictures'}."
    )
    assert (out.read_bytes(), [*tmp_path.glob("*.new")]) == (b"old", [])
    assert len([*(home / "pictures").glob("*.png")]) == 2


@pytest.mark.usefixtures("hubs")
def test_replicate_makes_it_with_the_price_first(tmp_path: Path, line: Line) -> None:
    words = ["try", REPLICATE, "--prompt", "a pier", "--on", "replicate", "--seed", "7"]
    assert line.run(*words, "--yes", "--out", str(tmp_path / "one.png")) == 0
    assert "$" in line.err.splitlines()[0]
    code, told = line(*words, "--estimate")
    assert (code, told["place"], told["fetch"]) == (0, "replicate", None)
    code, made = line("try", "--yes", "--again", str(tmp_path / "one.png"), "--out", str(tmp_path / "two.png"))
    assert (code, made["place"], made["seed"], made["coverage"]) == (0, "replicate", 7, [])


@pytest.mark.usefixtures("hubs")
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (None, "Generating on Replicate costs money. Add --yes to start it without being asked."),
        ("n", "Not started. Nothing was sent, and nothing is paid."),
    ],
)
def test_nothing_is_spent_on_replicate_without_a_persons_word(
    typed: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Screen(f"{typed}\n"))
    words = ["try", REPLICATE, "--prompt", "a pier", "--on", "replicate", "--out", str(tmp_path / "one.png")]
    assert line.run(*words) == 2
    assert line.err.endswith(f"hub-ui: {said}\n")
    assert not (tmp_path / "one.png").exists()


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with 64 GB."""
    monkeypatch.setattr("hub_ui.commands.try_plan.total_memory", lambda: 64 * GIBIBYTE)


def test_a_plan_for_a_card_says_how_the_base_runs_there(line: Line) -> None:
    assert line.run("try", "--plan", "--base", "flux.1-dev", "--memory", "24GB", "--quality", "full") == 0
    assert line.out.splitlines() == [
        "FLUX.1 dev on a GPU with 24 GB, 1024 x 1024, bfloat16: layer by layer.",
        "At most 2.2 GB of 25.0 GB of its memory, and 33.7 GB of the computer's own.",
        "  transformer         23.8 GB",
        "  text_encoder         0.2 GB",
        "  text_encoder_2       9.5 GB",
        "  vae                  0.2 GB",
        "  full    28 steps, 1024 x 1024, 2.2 GB, 33.7 GB to download",
        "  draft    8 steps, 768 x 768, 1.5 GB, 34.4 GB to download",
    ]
    assert line.err.splitlines() == [
        "A GPU with 32 GB: FLUX.1 dev, part by part.",
        "A GPU with 48 GB: FLUX.1 dev, whole.",
    ]


def test_a_small_card_gets_a_precision_that_fits(line: Line) -> None:
    assert line.run("try", "--plan", "--base", "flux.1-dev", "--memory", "12GB") == 0
    assert line.out.startswith("FLUX.1 dev in Q6 on a GPU with 12 GB, 1024 x 1024, bfloat16: part by part.\n")
    assert "  full    28 steps, 1024 x 1024, 10.8 GB, 19.8 GB to download\n" in line.out
    assert line.err.startswith("A GPU with 16 GB: FLUX.1 dev in Q8, part by part.\n")


def test_a_plan_has_room_for_the_files_of_the_loras(tmp_path: Path, line: Line, base: str) -> None:
    peaks = []
    for inputs in (1_000, 4_000_000):
        path = tmp_path / f"{inputs}.safetensors"
        with path.open("wb") as file:
            file.write(head := file_of(raw_header({"lora_unet_mid_block_x.lora_down.weight": (16, inputs)})))
            file.truncate(len(head) + 2 * 16 * inputs)
        peaks.append(made(line, "--plan", str(path), "--base", base)["peak"])
    assert peaks[1] - peaks[0] > 128_000_000


@pytest.mark.parametrize("words", [[], ["--base", "nothing-known"], ["--base", "sd-1.5", "--memory", "much"]])
def test_a_plan_of_nothing_is_a_usage_error(words: list[str], line: Line) -> None:
    assert line.run("try", "--plan", *words) == 2


@pytest.mark.parametrize("text", ["12GB", "12", "12 gb", "12GiB"])
def test_memory_is_said_as_cards_are_sold(text: str) -> None:
    assert memory_size(text) == 12 * GIBIBYTE
