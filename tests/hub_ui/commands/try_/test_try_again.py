"""`hub-ui try --again`, with images of ours and of A1111; options that can't be followed, and other bases."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from hub_ui.commands import cli
from hub_ui.images import png_metadata
from tests.hub_ui.commands.try_.images import INK, LORAS, REF, enter, generate, is_same, made
from tests.hub_ui.generate.building import save_base, save_kohya
from tests.hub_ui.images.building import write_png
from tests.hub_ui.library.shared_hubs import Line

ONCE_MORE = ("--again", "one.png", "--out", "two.png")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_again_keeps_everything_that_was_asked(tmp_path: Path, base: str, line: Line) -> None:
    more = ["--sampler", "euler", "--guidance", "3", "--negative", "dull", "--no-trigger-words", "--weight", "0.5"]
    first = generate(Path("one.png"), base, line, *more)
    second = made(line, *ONCE_MORE)
    for key in ("loras", "prompt", "sampler", "guidance", "seed"):
        assert first[key] == second[key]
    assert (first["sampler"], first["guidance"], first["prompt"]) == ("Euler", 3.0, "a cat")
    assert is_same(Path("one.png"), Path("two.png"))


def test_a_base_that_lies_elsewhere_by_now_is_named_anew(tmp_path: Path, base: str, line: Line) -> None:
    moved = Path("moved")
    shutil.copytree(base, moved)
    generate(Path("one.png"), str(moved), line)
    shutil.rmtree(moved)
    assert line.run("try", *ONCE_MORE) == 1
    assert made(line, *ONCE_MORE, "--base", base)["notes"] == [f"It was made on {moved}, and this one on {base}."]
    assert is_same(Path("one.png"), Path("two.png"))


def test_changed_files_are_told_when_it_is_made_again(base: str, library: Path, line: Line) -> None:
    generate(Path("one.png"), shutil.copytree(base, "base"), line)
    save_base(Path("base"), seed=1)
    save_kohya(library / "tiny-shapes" / "ink.safetensors", seed=9)
    assert made(line, *ONCE_MORE)["notes"] == [
        "“Ink” is not what the lock file pins: its bytes were changed on this disk. hub-ui sync brings the right ones "
        "back.",
        "“Ink” has other bytes today than when this image was made: expect other pixels.",
        "base has other bytes today than when this image was made: expect other pixels.",
    ]
    assert not is_same(Path("one.png"), Path("two.png"))


def test_again_starts_from_the_image_beside_the_file(tmp_path: Path, base: str, line: Line) -> None:
    Image.effect_noise((48, 32), 90).save(Path("start.png"))
    generate(Path("one.png"), base, line, "--image", "start.png", "--strength", "0.5")
    cut = "The image to start from was cut left and right to fit 32 x 32."
    assert made(line, *ONCE_MORE)["notes"] == [cut]
    assert is_same(Path("one.png"), Path("two.png"))
    Image.effect_noise((48, 32), 90).save(Path("start.png"))
    told = "start.png is not the image that it started from then: its bytes are others."
    assert made(line, *ONCE_MORE)["notes"] == [told, cut]
    (Path("start.png")).unlink()
    assert line.run("try", *ONCE_MORE) == 2
    assert "one.png started from start.png, which does not lie beside it." in line.err


def test_an_image_of_a1111_is_started_from_the_image_that_is_named(tmp_path: Path, base: str, line: Line) -> None:
    Image.effect_noise((32, 32), 90).save(Path("start.png"))
    text = "a cat <lora:ink:0.5>\nSteps: 2, Seed: 5, Size: 32x32, Denoising strength: 0.5"
    words = ["--again", str(write_png(Path("a.png"), parameters=text)), "--base", base, "--out", "b.png"]
    over = "Not taken over: the image it was generated over (denoising strength 0.5)."
    assert over in made(line, *words)["notes"]
    assert over not in made(line, *words, "--image", "start.png")["notes"]
    started = png_metadata.read(Path("b.png")).image
    assert started is not None
    assert started.strength == 0.5


def test_a_picture_of_a1111_is_made_again_as_far_as_it_goes(tmp_path: Path, base: str, line: Line) -> None:
    text = (
        "a cat <lora:ink:0.5> <lora:nobody:1>\nNegative prompt: dull\n"
        "Steps: 2, Sampler: Euler a, CFG scale: 3, Seed: 5, Size: 32x32, Clip skip: 2"
    )
    words = ["--again", str(write_png(Path("a.png"), parameters=text)), "--base", base, "--out", "b.png"]
    found = made(line, *words)
    assert found["loras"] == [{"ref": "civitai:1001@2001#3001", "weight": 0.5}]
    assert (found["prompt"], found["seed"], found["sampler"], found["guidance"]) == ("a cat", 5, "Euler a", 3.0)
    assert found["notes"] == [
        "Not taken over: clip skip 2.",
        "“nobody” could not be found here: it was left out.",
        "Another program made it, from other noise for the same seed: expect a similar image, not the same.",
    ]


@pytest.mark.usefixtures("hubs")
def test_civitais_own_list_names_a_lora_of_the_library(tmp_path: Path, base: str, line: Line) -> None:
    listed = '[{"type":"lora","weight":0.7,"modelVersionId":2001},{"type":"lora","weight":1,"modelVersionId":9}]'
    path = write_png(Path("a.png"), parameters=f"a cat\nSteps: 2, Seed: 5, Civitai resources: {listed}")
    code, told = line("try", "--again", str(path), "--base", base, "--estimate")
    assert (code, told["loras"]) == (0, [{"ref": "civitai:1001@2001#3001", "weight": 0.7}])
    assert "“9” could not be found here: it was left out." in told["notes"]


def test_a_picture_of_a1111_without_anything_known_asks_for_a_base(tmp_path: Path, line: Line) -> None:
    write_png(Path("one.png"), parameters="a cat <lora:nobody:1>\nSteps: 2, Seed: 5")
    assert line.run("try", *ONCE_MORE) == 2
    assert line.err.strip() == (
        "hub-ui: None of the LoRAs that one.png names could be found here or by their hashes, and its base model is "
        "none of ours. Choose one: --base sdxl-1.0, for example."
    )


def test_a_draft_is_made_again_as_one_or_in_full(tmp_path: Path, base: str, line: Line) -> None:
    first = generate(Path("one.png"), base, line, "--size", "128x128", "--draft")
    assert (first["draft"], first["draft_files"], first["width"]) == (True, [], 96)
    assert made(line, *ONCE_MORE)["draft"] is True
    assert is_same(Path("one.png"), Path("two.png"))
    full = made(line, "--again", "one.png", "--out", "three.png", "--full")
    assert (full["draft"], full["width"]) == (False, 128)
    assert full["notes"] == ["It was made as a draft, and this one in full."]


@pytest.mark.usefixtures("hubs")
def test_a_lora_that_the_library_lacks_is_found_by_its_hash(tmp_path: Path, base: str, line: Line) -> None:
    _, shown = line("show", "civitai:1002")
    text = f'a cat <lora:far:0.5>\nSteps: 2, Seed: 5, Lora hashes: "far: {shown["file"]["sha256"][:10]}"'
    words = ["--again", str(write_png(Path("a.png"), parameters=text)), "--base", base, "--estimate"]
    code, told = line("try", *words)
    # It is for another base, which proves that it was found.
    assert (code, told["error"]) == (1, "DoesNotFit")
    assert told["message"].startswith("The LoRA is for sdxl, but ")


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
    Path("README.md").touch()
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


REMARK = "“Ink” was made for Halcyon 2, and runs on Tiny Shapes. Images can differ from its examples."
WORDS = ["try", "civitai:1001", "--prompt", "a cat", "--base", "tiny-shapes", "--steps", "1", "--size", "32x32"]


@pytest.fixture
def _halcyon(library: Path) -> None:
    """The entry of the library is for a base that no table has."""
    shutil.copy(LORAS / "ink-outline.safetensors", library / INK)
    enter(library, base_model="Halcyon 2")


@pytest.mark.usefixtures("_halcyon")
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
