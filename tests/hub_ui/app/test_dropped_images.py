from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.app.dropped_images import read_dropped
from hub_ui.app.services import Services
from hub_ui.base.i18n import use_language
from hub_ui.generate.compare import comparison
from hub_ui.generate.try_fields import TrySettings
from hub_ui.images import png_metadata
from hub_ui.locales import get_language
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.generate import making
from tests.hub_ui.images.building import write_png
from tests.hub_ui.stand_ins import Hub, services_on
from tests.hub_ui.web.conftest import with_settings

A1111 = (
    "a cat <lora:lora-2:0.7> <lora:nowhere:1>\nNegative prompt: dull\nSteps: 8, Sampler: Euler, CFG scale: 5, "
    "Seed: 5, Size: 64x96, Model: dreamshaper_8, Clip skip: 2, Version: v1.9"
)
# Its LoRA is found by the number of its version.
NUMBERED = A1111.replace(" <lora:nowhere:1>", "") + (
    ', Civitai resources: [{"type":"lora","modelVersionId":20,"weight":0.7}]'
)


@pytest.fixture
def known(home: Path) -> Iterator[Services]:
    """Of the demo, whose catalog has seen a LoRA for its own base."""
    ink = lora(2, base="Tiny Shapes")
    with services_on(home, Hub(name="civitai", loras=[ink]), demo=True) as made:
        made.catalog.add([ink])
        yield made


def test_an_image_of_a1111_becomes_a_plan_that_names_what_has_no_counterpart(known: Services, tmp_path: Path) -> None:
    plan = read_dropped(known, write_png(tmp_path / "a.png", parameters=NUMBERED))
    assert [(lora.state, lora.weight) for lora in plan.loras] == [("download", 0.7)]
    assert plan.settings == TrySettings(
        prompt="a cat", negative="dull", seed=5, steps=8, guidance=5.0, size=(64, 96), sampler="Euler",
        use_trigger_words=False,
    )  # fmt: skip
    assert plan.notes[0] == "Not taken over: clip skip 2."
    assert plan.notes[1] == "It was made with the checkpoint “dreamshaper_8”; here the nearest base is Tiny Shapes."
    assert dict(plan.rows)["Clip skip"] == "2"
    assert dict(plan.rows)["Prompt"] == "a cat <lora:lora-2:0.7>"


def test_the_notes_are_in_the_readers_language(known: Services, tmp_path: Path) -> None:
    text = NUMBERED.replace("Steps: 8", "Steps: 900").replace("Euler", "Fourier")
    with use_language(get_language("ja")):
        plan = read_dropped(known, write_png(tmp_path / "a.png", parameters=text))
    said = "サンプラー「Fourier」, 900 ステップ, Clip skip 2"
    assert plan.notes[0] == f"引き継がれないもの: {said}。"
    assert plan.notes[-1].startswith("別のプログラムで生成されたもので")


def test_what_is_not_found_too_large_a_seed_and_a_ninth_lora_are_told(known: Services, tmp_path: Path) -> None:
    plan = read_dropped(known, write_png(tmp_path / "a.png", parameters=A1111))
    assert [(lora.name, lora.state) for lora in plan.loras if not lora.ref][-1] == ("nowhere", "missing")
    text = A1111.replace("Seed: 5", f"Seed: {2**60}")
    plan = read_dropped(known, write_png(tmp_path / "a.png", parameters=text))
    assert plan.settings.seed is None
    assert any("larger than any of this page" in note for note in plan.notes)
    tags = " ".join(f"<lora:n{i}:1>" for i in range(300))
    text = A1111.replace("<lora:nowhere:1>", tags)
    plan = read_dropped(known, write_png(tmp_path / "a.png", parameters=text))
    assert len(plan.loras) == 8
    assert plan.notes[0] == "Only the first 8 of its LoRAs are taken."


def test_an_image_of_ours_brings_its_refs_and_all_its_settings(known: Services, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20"), text_encoder_scale=0.5))
    png_metadata.save(making.made(asked), 0, tmp_path / "a.png")
    plan = read_dropped(known, tmp_path / "a.png")
    assert [(lora.ref, lora.weight) for lora in plan.loras] == [(str(asked.adapters[0].ref), 0.8)]
    assert (plan.settings.clip_weights, plan.settings.base, plan.is_sheet) == ((0.4,), "sd-1.5", False)
    assert plan.settings.prompt == "sks style, a “cat” 猫"


def test_a_whole_comparison_of_ours_comes_back_as_one(known: Services, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20#200")))
    made = making.made(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0)))
    png_metadata.save_comparison(made, tmp_path / "a.png")
    plan = read_dropped(known, tmp_path / "a.png")
    assert (plan.is_sheet, plan.settings.sheet, plan.settings.weights) == (True, "strip", (0.0, 0.5, 1.0))


def test_a_file_of_somebodys_disk_is_not_found_and_nothing_else_is_lost(known: Services, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse(f"local:ink@{'a' * 64}")), seed=9)
    png_metadata.save(making.made(asked, report=making.report(seed=9)), 0, tmp_path / "a.png")
    plan = read_dropped(known, tmp_path / "a.png")
    assert ([lora.state for lora in plan.loras], plan.settings.seed) == (["missing"], 9)


def test_another_computers_folder_is_no_base_and_visitors_bring_none(known: Services, tmp_path: Path) -> None:
    report = making.report(base="/home/them/base", base_id="/home/them/base")
    png_metadata.save(making.made(report=report), 0, tmp_path / "a.png")
    plan = read_dropped(known, tmp_path / "a.png")
    assert (plan.settings.base, plan.notes) == ("", ("Its base, base, is not here: the one of its LoRAs is chosen.",))
    png_metadata.save(making.made(report=making.report(base="/etc", base_id="/etc")), 0, tmp_path / "a.png")
    shared = with_settings(known, hosted=True)
    assert read_dropped(shared, tmp_path / "a.png").settings.base == ""
