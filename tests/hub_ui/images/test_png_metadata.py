"""What images and clips say of how they were made: ours, other programs' and damaged ones."""

import hashlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.generate import base_models, result
from hub_ui.generate.compare import comparison
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.result import GeneratedImage, GenerationResult
from hub_ui.images import png_metadata
from hub_ui.images.infotext import Infotext
from hub_ui.images.provenance import ControlProvenance, Provenance, StartProvenance
from tests.hub_ui.generate import making
from tests.hub_ui.generate.making import INK
from tests.hub_ui.images.building import write_png
from tests.hub_ui.images.test_graphs import GRAPH

V1 = {
    "version": 1, "loras": [{"ref": str(INK), "weight": 0.8}], "prompt": "a cat", "negative": "blurred", "seed": 7,
    "steps": 20, "guidance": 4.0, "width": 32, "height": 16, "base": "sd-1.5", "use_trigger_words": True,
}  # fmt: skip


def kept(folder: Path, made: GenerationResult, cell: int = 0) -> Provenance:
    """What the file of one image says of it."""
    png_metadata.save(made, cell, folder / "a.png")
    return png_metadata.read(folder / "a.png")


def written(folder: Path, made: GenerationResult) -> dict[str, Any]:
    png_metadata.save(made, 0, folder / "a.png")
    with Image.open(folder / "a.png") as image:
        found: dict[str, Any] = json.loads(image.info["hub-ui"])
    return found


def again(read: Provenance) -> GenerationRequest:
    return read.job(lambda ref, weight: making.adapter(ref=ref, weight=weight))


def test_a_picture_is_made_again_from_what_it_says(tmp_path: Path) -> None:
    assert again(kept(tmp_path, making.made())) == making.job(
        prompt="sks style, a “cat” 猫", steps=20, guidance=4.0, width=32, height=16, base="sd-1.5",
        use_trigger_words=False, precision="full",
    )  # fmt: skip


def test_an_image_from_a_seed_of_its_own_says_so_and_the_whole_comparison_its_first(tmp_path: Path) -> None:
    without, with_lora = comparison.before_after(making.job()).cells
    pair = replace(comparison.before_after(making.job()), cells=(without, replace(with_lora, seed=9)))
    made = making.made(sheet=pair)
    png_metadata.save_comparison(made, tmp_path / "all.png")
    assert (kept(tmp_path, made, 1).seed, png_metadata.read(tmp_path / "all.png").seed) == (9, 7)
    assert "Seed: 9," in png_metadata.infotext_of(made, 1)


def test_the_weights_of_a_loras_parts_are_kept_and_in_its_tag(tmp_path: Path) -> None:
    parts = making.adapter(text_encoder_scale=0.5, block_weights=(1.0, *(0.5,) * 11))
    made = making.made(making.job(parts))
    assert again(kept(tmp_path, made)).adapters == (parts,)
    prompt = png_metadata.infotext_of(made, 0).splitlines()[0]
    assert prompt.endswith(" <lora:ink:0.4:0.8:lbw=1,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5>")


def test_the_image_that_was_started_from_is_named_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"x")
    asked = making.job(image=tmp_path / "cat.jpg", strength=0.4)
    assert kept(tmp_path, making.made(asked)).image == StartProvenance(
        strength=0.4, name="cat.jpg", sha256=hashlib.sha256(b"x").hexdigest()
    )
    assert "Denoising strength: 0.4" in png_metadata.infotext_of(making.made(asked), 0)


def test_brackets_that_were_text_stay_text_and_no_letter_costs_a_picture(tmp_path: Path) -> None:
    asked = making.job(prompt="a cat (asleep)", negative="[dull]", emphasis=False, use_trigger_words=False)
    lines = png_metadata.infotext_of(making.made(asked), 0).splitlines()
    assert lines[:2] == [r"a cat \(asleep\) <lora:ink:0.8>", r"Negative prompt: \[dull\]"]
    half = making.made(making.job(prompt="a \udcff cat", use_trigger_words=False))
    assert kept(tmp_path, half).prompt == "a \udcff cat"


def test_a_cell_says_its_own_weights_and_where_it_stood_and_a_sheet_all_of_it(tmp_path: Path) -> None:
    asked = making.job()
    read = kept(tmp_path, making.made(asked, comparison.before_after(asked)))
    assert ([lora.weight for lora in read.loras], read.cell, read.whole_comparison) == ([0.0], 0, None)
    assert read.sheet == comparison.before_after(asked)
    made = making.made(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0)))
    png_metadata.save_comparison(made, tmp_path / "a.png")
    read = png_metadata.read(tmp_path / "a.png")
    assert (read.whole_comparison, read.width) == (made.comparison, 32)


def test_the_bytes_of_each_lora_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ink.safetensors"
    save_file({"a": np.zeros(4, dtype=np.float32)}, path)
    lora = kept(tmp_path, making.made(making.job(making.adapter(path=path)))).loras[0]
    assert (lora.sha256, lora.size) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    assert (lora.title, lora.trigger_words, lora.architecture) == ("Ink", ("sks style",), "sd1")


def test_other_programs_find_the_parameters(tmp_path: Path) -> None:
    path = tmp_path / "Ink lines.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}tensors")
    short = hashlib.sha256(b"tensors").hexdigest()[:12]
    made = making.made(making.job(making.adapter(path=path)))
    png_metadata.save(made, 0, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        text = image.info["parameters"]
    assert text.partition(", Version: ")[0] == (
        "sks style, a “cat” 猫 <lora:Ink lines:0.8>\nNegative prompt: blurred\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 4, Seed: 7, Size: 32x16, Model: SD 1.5, "
        f'Lora hashes: "Ink lines: {short}", '
        'Civitai resources: [{"type":"lora","weight":0.8,"modelVersionId":2001}]'
    )
    assert png_metadata.infotext_of(made, 0) == text


def test_a_cell_without_loras_names_none_and_those_of_other_hubs_are_no_resources_of_civitai() -> None:
    asked = making.job()
    text = png_metadata.infotext_of(making.made(asked, comparison.before_after(asked)), 0)
    assert "lora" not in text.casefold()
    asked = making.job(making.adapter(ref=Ref.parse(f"hf:ada/ink@{'a' * 40}#ink.safetensors")))
    assert "Civitai resources" not in png_metadata.infotext_of(making.made(asked), 0)


def test_what_a_model_elsewhere_does_not_say_is_left_to_it(tmp_path: Path) -> None:
    made = making.made(report=making.report(place="replicate", steps=0, guidance=0.0, coverage=()))
    request = again(kept(tmp_path, made))
    assert (request.steps, request.guidance) == (None, None)
    assert "Steps" not in png_metadata.infotext_of(made, 0)
    assert "CFG" not in png_metadata.infotext_of(made, 0)


def test_a_clip_is_an_animated_png_that_is_read_back_and_runs_as_fast_as_its_base_says(tmp_path: Path) -> None:
    assert kept(tmp_path, clip()).frames == 4
    with Image.open(tmp_path / "a.png") as image:
        assert (getattr(image, "n_frames", 0), image.info["duration"]) == (4, 62)
    base = next(base for base in base_models.BASES if base.video)
    png_metadata.save(replace(clip(), report=making.report(base_id=base.id)), 0, tmp_path / "a.png")
    assert base.video is not None
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["duration"] == 1000 // base.video.fps


def test_a_webp_says_the_same_to_us_and_to_other_programs(tmp_path: Path) -> None:
    png_metadata.save(clip(), 0, tmp_path / "a.webp", suffix=".webp")
    with Image.open(tmp_path / "a.webp") as image:
        assert (image.format, getattr(image, "n_frames", 0)) == ("WEBP", 4)
        comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert png_metadata.read(tmp_path / "a.webp") == kept(tmp_path, clip())
    assert comment[8:].decode("utf-16-be") == png_metadata.infotext_of(clip(), 0)


def test_the_control_picture_and_a_folder_on_this_disk_are_named_without_their_path(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "pose.png")
    read = kept(tmp_path, making.made(making.job(control=tmp_path / "pose.png", control_kind="depth")))
    sha256 = hashlib.sha256((tmp_path / "pose.png").read_bytes()).hexdigest()
    assert read.control == ControlProvenance(kind="depth", name="pose.png", sha256=sha256)
    assert str(tmp_path).encode() not in (tmp_path / "a.png").read_bytes()
    text = png_metadata.infotext_of(
        making.made(report=making.report(base=str(Path("/home/ada/models/mine").absolute()))), 0
    )
    assert "Model: mine," in text


def test_stamps_of_version_1_are_read(tmp_path: Path) -> None:
    assert again(png_metadata.read(write_png(tmp_path / "a.png", hub_ui=json.dumps(V1)))) == making.job(
        prompt="a cat", steps=20, guidance=4.0, width=32, height=16, base="sd-1.5", use_trigger_words=True,
        emphasis=False,
    )  # fmt: skip


def test_the_keys_of_the_json_are_read_by_other_versions_and_stay(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "pose.png")
    whole = written(tmp_path, making.made(making.job(control=tmp_path / "pose.png")))
    sheet, report = whole["sheet"], whole["report"]
    coverage = report["coverage"][0]
    files = (whole, whole["loras"][0], whole["control"])
    made = (sheet, sheet["cells"][0], report, coverage, coverage["missed"][0])
    assert [" ".join(part) for part in (*files, *made)] == [
        "version loras prompt typed typed_with_words emphasis negative sampler seed steps guidance width height base "
        "frames control image draft libraries sheet cell report",
        "ref weight asked title sha256 size trigger_words architecture base_model text_encoder_scale block_weights",
        "kind name sha256",
        "kind rows columns cells",
        "label prompt weights seed",
        "base base_revision sampler device place notes coverage dtype rows adapters precision base_sha256 draft "
        "measures attention",
        "title applied total missed remark",
        "reason keys",
    ]


def test_what_was_made_comes_back_from_its_pictures(tmp_path: Path) -> None:
    asked = making.job(
        sampler="euler", steps=20, guidance=4.0, width=32, height=16, base="sd-1.5", use_trigger_words=False
    )
    made = making.made(asked, comparison.before_after(asked))
    read = [kept(tmp_path, made, cell) for cell in range(2)]
    assert read[0].libraries.keys() >= {"torch", "diffusers", "transformers"}
    back = png_metadata.restore(read, made.images)
    assert back is not None
    assert (back.comparison, back.report, back.images) == (made.comparison, made.report, made.images)
    assert back.request == replace(asked, adapters=(making.adapter(path=Path()),))


def test_a_picture_of_a1111_says_what_it_can_and_half_a_character_is_a_question_mark(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", parameters="a cat\nSteps: 20, Seed: 7")
    assert png_metadata.read_any(path) == Infotext(prompt="a cat", fields={"Steps": "20", "Seed": "7"})
    with pytest.raises(UsageError, match="hub-ui did not make it"):
        png_metadata.read(path)
    sampler = {"class_type": "KSampler", "inputs": {"seed": 7, "sampler_name": "\ud800", "positive": ["2", 0]}}
    prompt = {"class_type": "CLIPTextEncode", "inputs": {"text": "half \udfff"}}
    found = png_metadata.read_any(write_png(tmp_path / "a.png", prompt=json.dumps({"1": sampler, "2": prompt})))
    assert isinstance(found, Infotext)
    assert (found.prompt, found.fields["Sampler"]) == ("half ?", "?")


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_a_jpeg_holds_them_in_its_exif(tmp_path: Path, order: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\x00" + "a 猫\nSteps: 20, Seed: 7".encode(order)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert png_metadata.read_any(tmp_path / "a.jpg") == Infotext(prompt="a 猫", fields={"Steps": "20", "Seed": "7"})


def test_a_graph_without_a_sampler_and_a_picture_that_says_nothing_are_told(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", prompt='{"3": {"class_type": "KSampler"}}')
    with pytest.raises(UsageError, match="holds a graph of ComfyUI in which no sampler is found"):
        png_metadata.read_any(path)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="does not say"):
        png_metadata.read(tmp_path / "a.png")


def test_no_change_needs_no_words_but_a_cell_may_differ_when_drawn_alone(tmp_path: Path) -> None:
    assert png_metadata.differences(kept(tmp_path, making.made()), making.job(), making.report()) == ()
    asked = making.job()
    together = making.report(rows=2, adapters="hooked")
    read = kept(tmp_path, making.made(asked, comparison.before_after(asked), report=together), 1)
    (note,) = png_metadata.differences(read, asked, making.report())
    assert note == "It was generated in one batch with others; alone, a pixel may differ by a shade."


# What is another one than when the image was made, by where it stands, and what is said.
CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = {
    "“Ink” has other bytes today than when this image was made: expect other pixels.": ({"sha256": "b" * 64}, {}, {}),
    "SD 1.5 has other bytes today than when this image was made: expect other ": ({}, {"base_sha256": "d" * 64}, {}),
    f"It was made with another revision of SD 1.5: {'a' * 40}; here is {'b' * 40}.": (
        {}, {"base_revision": "b" * 40}, {}
    ),
    "It was made with torch 1.0; here is torch ": ({}, {}, {"torch": "1.0"}),
    "It was made on another device, CPU; pixels can differ a little on A100.": ({}, {"device": "A100"}, {}),
    "It was computed in float32, and here in bfloat16: pixels can differ a little.": ({}, {"dtype": "bfloat16"}, {}),
    "Images generated at once: up to 1 then, 2 here; a pixel may differ by a shade.": ({}, {"rows": 2}, {}),
    "Its LoRAs were merged, and here they are hooked: pixels can differ a little.": ({}, {"adapters": "hooked"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("said", CHANGED)
def test_what_changed_since_is_told(tmp_path: Path, said: str) -> None:
    lora, report, libraries = CHANGED[said]
    read = kept(tmp_path, making.made(making.job(making.adapter(sha256="a" * 64))))
    before = replace(read, libraries={**read.libraries, **libraries})
    now = making.job(making.adapter(**{"sha256": "a" * 64, **lora}))
    (note,) = png_metadata.differences(before, now, making.report(**report))
    assert note.startswith(said)


def test_a_picture_of_before_these_were_noted_is_read_and_says_so(tmp_path: Path) -> None:
    whole = written(tmp_path, making.made())
    for name in ("dtype", "rows", "adapters"):
        del whole["report"][name]
    read = png_metadata.read(write_png(tmp_path / "b.png", hub_ui=json.dumps(whole)))
    (note,) = png_metadata.differences(read, making.job(), making.report())
    assert note.startswith("An older hub-ui made it, which did not note its precision")


def test_bytes_that_an_image_does_not_name_may_be_others(tmp_path: Path) -> None:
    read = kept(tmp_path, making.made(report=making.report(base_sha256=None)))
    now = making.job(making.adapter(sha256="a" * 64))
    assert png_metadata.differences(read, now, making.report()) == (
        "The image does not say which bytes “Ink” had when it was made; they may be others today.",
        "The image does not say which bytes SD 1.5 had when it was made; they may be others today.",
    )


@pytest.mark.parametrize(
    "stamp",
    [
        "", "no json", "[]", "{}", '{"version": 2}', '{"version": 1, "loras": [{"ref": "?"}]}', "[" * 50_000,
        "{" * 50_000, '"x"', "null",
        # Ours, with other values.
        {"cell": 1}, {"cell": -1}, {"seed": 1e999}, {"sheet": None}, {"loras": [{"ref": "?"}]}, {"report": {}},
        {"sheet": {"kind": "pile", "rows": [""], "columns": ["a"], "cells": []}}, {"version": 3},
    ],
)  # fmt: skip
def test_a_stamp_that_cannot_be_read_is_told(tmp_path: Path, stamp: str | dict[str, Any]) -> None:
    text = stamp if isinstance(stamp, str) else json.dumps({**written(tmp_path, making.made()), **stamp})
    with pytest.raises(UsageError, match=r"What b\.png says about itself can't be read"):
        png_metadata.read(write_png(tmp_path / "b.png", hub_ui=text))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "data",
    [
        b"", b"no image", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, b"GIF89a" + b"\xff" * 99,
        b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\0\0" + b"\xff" * 999, b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 99,
        b"<svg onload=alert(1)>", None,
    ],
)  # fmt: skip
def test_files_that_are_no_pictures_or_not_there_are_told(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UsageError, match="as an image"):
        png_metadata.read(tmp_path / "a.png")


def clip(count: int = 4) -> GenerationResult:
    """Of a size that is odd."""
    frames = tuple(Image.new("RGB", (33, 17), (255 * i // count, 0, 0)) for i in range(count))
    return making.made(images=(GeneratedImage(image=frames[2], frames=frames, seconds=1.0),))


def test_an_mp4_says_the_same_as_a_png_and_shows_each_frame(tmp_path: Path) -> None:
    png_metadata.save(clip(), 0, tmp_path / "a.mp4", suffix=".mp4")
    assert png_metadata.read(tmp_path / "a.mp4") == kept(tmp_path, clip())
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert json.loads(film.metadata["comment"])["parameters"] == png_metadata.infotext_of(clip(), 0)
        reds = [int(frame.to_ndarray(format="rgb24")[8, 16, 0]) for frame in film.decode(video=0)]
        stream = film.streams.video[0]
        assert (stream.average_rate, stream.width, stream.height) == (Fraction(16), 32, 16)
    assert all(abs(red - meant) < 12 for red, meant in zip(reds, (0, 63, 127, 191), strict=True))


@pytest.mark.parametrize(
    ("tags", "options"),
    [
        ({"comment": json.dumps({"prompt": json.dumps(GRAPH), "workflow": {"nodes": []}})}, {}),
        ({"comment": "a dog", "prompt": json.dumps(GRAPH)}, {"movflags": "use_metadata_tags"}),
        ({"comment": "a dog", "prompt": json.dumps(GRAPH)}, {"movflags": "use_metadata_tags+faststart"}),
        ({"comment": "a cat\nSteps: 12, Sampler: Euler, Seed: 5"}, {}),
    ],
    ids=["VideoHelperSuite", "SaveVideo", "SaveVideo, tags first", "infotext"],
)
def test_an_mp4_of_other_programs_is_read(tags: dict[str, str], options: dict[str, str], tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w", options=options) as film:
        film.metadata.update(tags)
        stream = film.add_stream("libx264", rate=8, options={"x264-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        film.mux([*stream.encode(av.VideoFrame(32, 16, "yuv420p")), *stream.encode()])
    found = png_metadata.read_any(tmp_path / "a.mp4")
    assert isinstance(found, Infotext)
    assert (found.prompt.startswith("a cat"), found.fields["Steps"], found.fields["Seed"]) == (True, "12", "5")


def test_an_image_is_no_mp4_and_without_pyav_no_video_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"this is an image\. Name it \.png"):
        png_metadata.save(making.made(), 0, tmp_path / "a.mp4", suffix=".mp4")
    assert result.clip_suffixes() == (".webp", ".mp4")
    monkeypatch.setattr(result, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install '\.\[video\]'"):
        png_metadata.save(clip(), 0, tmp_path / "a.mp4", suffix=".mp4")
    assert (result.clip_suffixes(), [*tmp_path.iterdir()]) == ((".webp",), [])


def box(kind: bytes, data: bytes = b"") -> bytes:
    return (len(data) + 8).to_bytes(4) + kind + data


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "data",
    [
        b"", box(b"moov"), box(b"moov")[:7], box(b"free") * 100_000, b"\0\0\0\0moov", b"\0\0\0\1mdat" + b"\xff" * 8,
        box(b"moov", b"\0" * 99_999), box(b"moov", box(b"meta", b"\0" * 4 + box(b"ilst", box(b"\0\0\0\7")))),
    ],
)  # fmt: skip
def test_damaged_mp4s_say_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(box(b"ftyp", b"isom") + data)
    with pytest.raises(UsageError, match="does not say"):
        png_metadata.read(tmp_path / "a.mp4")
