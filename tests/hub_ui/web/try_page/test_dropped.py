"""An image that is dropped on the page: what is read from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.generate.try_fields import TrySettings
from hub_ui.images import png_metadata
from hub_ui.services import Services
from hub_ui.web.history.routes import view_of
from hub_ui.web.try_page import dropped
from hub_ui.web.try_page.dropped import DroppedImage
from hub_ui.web.view import StackedLora, View
from tests.hub_ui.generate import making
from tests.hub_ui.web.conftest import with_settings

A1111 = (
    "a cat <lora:lora-2:0.7> <lora:nowhere:1>\nNegative prompt: dull\nSteps: 8, Sampler: Euler, CFG scale: 5, "
    "Seed: 5, Size: 64x96, Model: dreamshaper_8, Clip skip: 2, Version: v1.9"
)


def image(path: Path, **chunks: str) -> Path:
    info = PngInfo()
    for key, text in chunks.items():
        info.add_text(key, text)
    Image.new("RGB", (64, 96)).save(path, pnginfo=info)
    return path


@pytest.fixture
def known(built: Services) -> Services:
    """The catalog has seen what the hub has."""
    for number in ("1", "2"):
        built.lookup.get(Ref.parse(f"civitai:{number}"))
    return built


@pytest.fixture
def plan(known: Services, tmp_path: Path) -> DroppedImage:
    found = Ref.parse("civitai:2@20")
    text = A1111 + f', Civitai resources: [{{"type":"lora","modelVersionId":{found.version},"weight":0.7}}]'
    return dropped.read_dropped(known, image(tmp_path / "a.png", parameters=text.replace(" <lora:nowhere:1>", "")))


def test_an_image_of_a1111_becomes_a_plan(plan: DroppedImage) -> None:
    assert [(lora.state, lora.weight) for lora in plan.loras] == [("download", 0.7)]
    assert plan.settings == TrySettings(
        prompt="a cat", negative="dull", seed=5, steps=8, guidance=5.0, size=(64, 96), sampler="Euler",
        use_trigger_words=False,
    )  # fmt: skip


def test_what_has_no_counterpart_is_said(plan: DroppedImage) -> None:
    assert plan.notes[0] == "Not taken over: clip skip 2, the checkpoint “dreamshaper_8”."
    assert plan.notes[1] == "It was made with the checkpoint “dreamshaper_8”; here the nearest base is Tiny Shapes."


def test_its_settings_are_there_in_full(plan: DroppedImage) -> None:
    assert dict(plan.rows)["Clip skip"] == "2"
    assert dict(plan.rows)["Prompt"] == "a cat <lora:lora-2:0.7>"


def test_what_is_not_found_is_left_out_and_named(known: Services, tmp_path: Path) -> None:
    plan = dropped.read_dropped(known, image(tmp_path / "a.png", parameters=A1111))
    assert [(lora.name, lora.state) for lora in plan.loras if not lora.ref][-1] == ("nowhere", "missing")


def test_an_image_of_ours_brings_its_refs_and_all_its_settings(known: Services, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20"), text_encoder_scale=0.5))
    png_metadata.save(making.made(asked), 0, tmp_path / "a.png")
    plan = dropped.read_dropped(known, tmp_path / "a.png")
    assert plan.view(View()).stack == (StackedLora(ref=str(asked.adapters[0].ref), weight=0.8),)
    assert (plan.settings.clip_weights, plan.settings.base, plan.is_sheet) == ((0.4,), "sd-1.5", False)
    assert plan.settings.prompt == "sks style, a “cat” 猫"


def test_a_whole_comparison_of_ours_comes_back_as_one(known: Services, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20#200")))
    made = making.made(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0)))
    png_metadata.save_comparison(made, Image.new("RGB", (96, 16)), tmp_path / "a.png")
    plan = dropped.read_dropped(known, tmp_path / "a.png")
    assert (plan.is_sheet, plan.settings.sheet, plan.settings.weights) == (True, "strip", (0.0, 0.5, 1.0))


def test_a_whole_comparison_is_made_again_as_from_the_history(known: Services, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20"), text_encoder_scale=0.5), seed=9)
    made = making.made(asked, comparison.weight_sweep(asked, (0.0, 0.5)), report=making.report(seed=9))
    png_metadata.save_comparison(made, Image.new("RGB", (96, 16)), tmp_path / "a.png")
    of_history = view_of(known.history.add(made).provenance)
    assert dropped.read_dropped(known, tmp_path / "a.png").view(View()) == of_history
    assert (of_history.settings.seed, of_history.settings.clip_weights) == (9, (0.4,))


def test_a_file_of_somebodys_disk_is_not_found_and_nothing_else_is_lost(known: Services, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse(f"local:ink@{'a' * 64}")), seed=9)
    png_metadata.save(making.made(asked, report=making.report(seed=9)), 0, tmp_path / "a.png")
    plan = dropped.read_dropped(known, tmp_path / "a.png")
    assert ([lora.state for lora in plan.loras], plan.settings.seed) == (["missing"], 9)


def test_a_folder_of_another_computer_is_no_base(known: Services, tmp_path: Path) -> None:
    report = making.report(base="/home/them/base", base_id="/home/them/base")
    png_metadata.save(making.made(report=report), 0, tmp_path / "a.png")
    plan = dropped.read_dropped(known, tmp_path / "a.png")
    assert (plan.settings.base, plan.notes) == ("", ("Its base, base, is not here: the one of its LoRAs is chosen.",))


def test_visitors_bring_no_base_by_its_path(known: Services, tmp_path: Path) -> None:
    png_metadata.save(making.made(report=making.report(base="/etc", base_id="/etc")), 0, tmp_path / "a.png")
    shared = with_settings(known, hosted=True)
    assert dropped.read_dropped(shared, tmp_path / "a.png").settings.base == ""


def test_a_seed_beyond_what_a_page_can_hold_is_told(known: Services, tmp_path: Path) -> None:
    text = A1111.replace("Seed: 5", f"Seed: {2**60}")
    plan = dropped.read_dropped(known, image(tmp_path / "a.png", parameters=text))
    assert plan.settings.seed is None
    assert any("larger than any of this page" in note for note in plan.notes)


def test_only_so_many_loras_are_looked_for(known: Services, tmp_path: Path) -> None:
    tags = " ".join(f"<lora:n{i}:1>" for i in range(300))
    text = A1111.replace("<lora:nowhere:1>", tags)
    plan = dropped.read_dropped(known, image(tmp_path / "a.png", parameters=text))
    assert len(plan.loras) == 8
    assert plan.notes[0] == "Only the first 8 of its LoRAs are taken."


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "data",
    [
        b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\0\0" + b"\xff" * 999,
        b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 99, b"GIF89a" + b"\xff" * 99, b"<svg onload=alert(1)>",
    ],
)  # fmt: skip
def test_a_damaged_image_is_refused_with_a_sentence(known: Services, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UsageError, match=r"a\.png"):
        dropped.read_dropped(known, tmp_path / "a.png")


@pytest.mark.parametrize("text", ["{" * 50_000, json.dumps({"version": 2}), "[" * 50_000, '"x"', "null"])
def test_damaged_metadata_is_refused_with_a_sentence(known: Services, tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"a\.png"):
        dropped.read_dropped(known, image(tmp_path / "a.png", **{"hub-ui": text}))
