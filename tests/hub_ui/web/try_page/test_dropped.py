"""An image that is dropped on the page: what is read from it.

An image that is dropped or chosen on a page: how it was made, and the same again.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

from connectors.ref import Ref
from hub_ui.dropped_images import DroppedImage, read_dropped
from hub_ui.generate import comparison
from hub_ui.generate.result import GeneratedImage
from hub_ui.generate.try_fields import TrySettings
from hub_ui.i18n import use_language
from hub_ui.images import infotext, png_metadata
from hub_ui.locales import get_language
from hub_ui.services import Services
from hub_ui.web.images import GeneratedImages
from hub_ui.web.try_page import result
from hub_ui.web.view import StackedLora, View
from tests.hub_ui.generate import making
from tests.hub_ui.generate.making import INK, adapter, job, made
from tests.hub_ui.web.conftest import PART, read, with_settings

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
def plan(known: Services, a1111: Path) -> DroppedImage:
    return read_dropped(known, a1111)


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
    plan = read_dropped(known, image(tmp_path / "a.png", parameters=A1111))
    assert [(lora.name, lora.state) for lora in plan.loras if not lora.ref][-1] == ("nowhere", "missing")


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


def test_a_folder_of_another_computer_is_no_base(known: Services, tmp_path: Path) -> None:
    report = making.report(base="/home/them/base", base_id="/home/them/base")
    png_metadata.save(making.made(report=report), 0, tmp_path / "a.png")
    plan = read_dropped(known, tmp_path / "a.png")
    assert (plan.settings.base, plan.notes) == ("", ("Its base, base, is not here: the one of its LoRAs is chosen.",))


def test_visitors_bring_no_base_by_its_path(known: Services, tmp_path: Path) -> None:
    png_metadata.save(making.made(report=making.report(base="/etc", base_id="/etc")), 0, tmp_path / "a.png")
    shared = with_settings(known, hosted=True)
    assert read_dropped(shared, tmp_path / "a.png").settings.base == ""


def test_a_seed_beyond_what_a_page_can_hold_is_told(known: Services, tmp_path: Path) -> None:
    text = A1111.replace("Seed: 5", f"Seed: {2**60}")
    plan = read_dropped(known, image(tmp_path / "a.png", parameters=text))
    assert plan.settings.seed is None
    assert any("larger than any of this page" in note for note in plan.notes)


def test_only_so_many_loras_are_looked_for(known: Services, tmp_path: Path) -> None:
    tags = " ".join(f"<lora:n{i}:1>" for i in range(300))
    text = A1111.replace("<lora:nowhere:1>", tags)
    plan = read_dropped(known, image(tmp_path / "a.png", parameters=text))
    assert len(plan.loras) == 8
    assert plan.notes[0] == "Only the first 8 of its LoRAs are taken."


def give(client: TestClient, path: Path, name: str = "") -> str:
    """The address of what the image says."""
    answer = client.post("/upload", files={"file": (name or path.name, path.read_bytes())})
    assert answer.status_code == 303
    return f"/{answer.headers['location']}"


def link(page: BeautifulSoup, text: str) -> str:
    found = page.find("a", string=text)
    assert found, page.text
    return str(found["href"])


@pytest.fixture
def a1111(built: Services, tmp_path: Path) -> Path:
    built.lookup.get(Ref.parse("civitai:2"))
    text = A1111 + ', Civitai resources: [{"type":"lora","modelVersionId":20,"weight":0.7}]'
    return image(tmp_path / "a.png", parameters=text.replace(" <lora:nowhere:1>", ""))


def test_the_page_of_an_image_says_how_it_was_made(client: TestClient, a1111: Path) -> None:
    page = read(client.get(give(client, a1111)).text)
    assert [title.text for title in page.select(".dropped h2")] == ["a.png"]
    assert [chip.text for chip in page.select(".dropped .chip")] == ["will be downloaded"]
    assert page.select(".dropped li a")[0]["href"] == "./?open=civitai%3A2%4020"


def test_to_make_it_again_leads_to_the_compare_page_with_everything_filled_in(client: TestClient, a1111: Path) -> None:
    address = give(client, a1111)
    page = read(client.get(address).text)
    again = link(page, "Make it again")
    view = View.from_address(again.partition("?")[2])
    assert (view.page, view.settings.prompt, view.settings.seed) == ("try", "a cat", 5)
    assert [lora.weight for lora in view.stack] == [0.7]
    assert again.endswith(f"&original={address.partition('name=')[2]}")
    assert "original" not in link(page, "Only fill in the form")


def test_what_is_not_found_is_left_out_and_can_be_searched_for(client: TestClient, tmp_path: Path) -> None:
    text = A1111.replace("<lora:lora-2:0.7> ", "")
    page = read(client.get(give(client, image(tmp_path / "a.png", parameters=text))).text)
    assert link(page, "Search for it") == "./?q=nowhere"
    assert "lora=" not in link(page, "Make it without it")


def test_a_whole_comparison_is_made_again_without_an_original_beside_it(client: TestClient, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20")))
    made = making.made(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0)))
    png_metadata.save_comparison(made, tmp_path / "a.png")
    page = read(client.get(give(client, tmp_path / "a.png")).text)
    assert "original" not in link(page, "Make it again")


def test_a_dropped_image_stands_on_the_page_at_once_and_asks_for_the_rest(client: TestClient, a1111: Path) -> None:
    sent = client.post("/upload", files={"file": ("a.png", a1111.read_bytes())}, headers=PART)
    waits = read(sent.text).select("[hx-get]")[0]
    assert (waits["hx-trigger"], waits["hx-target"]) == ("load", "#dropped")
    part = read(client.get(f"/{waits['hx-get']}", headers={**PART, "HX-Target": "section#dropped"}).text)
    assert (part.html, link(part, "Make it again")[:12]) == (None, "./?view=try&")


def test_a_clip_plays_on_the_page_and_is_made_again_without_an_original_beside_it(
    client: TestClient, tmp_path: Path
) -> None:
    frames = (Image.new("RGB", (32, 16)),) * 3
    film = made(images=(GeneratedImage(image=frames[1], frames=frames, seconds=1.0),))
    png_metadata.save(film, 0, tmp_path / "a.mp4", suffix=".mp4")
    page = read(client.get(give(client, tmp_path / "a.mp4")).text)
    shown = client.get(f"/{page.select('.dropped video')[0]['src']}")
    assert (shown.headers["content-type"], shown.content) == ("video/mp4", (tmp_path / "a.mp4").read_bytes())
    assert "seed=7" in link(page, "Make it without it")
    assert "original" not in link(page, "Make it without it")


def test_an_image_that_says_nothing_is_told_in_place(client: TestClient, tmp_path: Path) -> None:
    page = read(client.get(give(client, image(tmp_path / "plain.png"))).text)
    assert "does not say what it was made from" in page.select(".dropped .problem")[0].text
    assert page.find("a", string="Make it again") is None


def test_an_image_is_forgotten(client: TestClient, a1111: Path) -> None:
    address = give(client, a1111)
    name = address.partition("name=")[2]
    assert client.post("/image/forget", data={"name": name}).headers["location"] == "../image"
    assert client.get(address).status_code == 404
    assert client.post("/image/forget", data={"name": name}, headers=PART).text == ""


def test_without_a_name_the_page_takes_an_image(client: TestClient) -> None:
    page = read(client.get("/image").text)
    field = page.select("main input[type=file]")[0]
    form = page.find("form", id=field["form"])
    assert (form["action"], form["enctype"]) == ("upload", "multipart/form-data")


def test_markup_in_what_an_image_says_stays_text(client: TestClient, tmp_path: Path) -> None:
    text = A1111.replace("a cat", "<img src=x onerror=alert(1)> ${1}").replace("nowhere", "<b>x</b>")
    page = client.get(give(client, image(tmp_path / "a.png", parameters=text), "<i>.png")).text
    assert "<img src=x" not in page
    assert "<i>" not in page
    assert "<img src=x onerror=alert(1)> ${1}" in read(page).select(".dropped dl")[0].text


def test_a_result_names_its_loras_and_stands_in_the_served_folder(tmp_path: Path) -> None:
    asked = job()
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    assert (shown.kind, shown.refs, shown.right) == ("pair", (str(INK),), 1)
    assert all(tile.src.startswith("images/") for tile in shown.tiles)


def test_a_clip_is_saved_in_three_forms_that_say_the_same(tmp_path: Path) -> None:
    frames = (Image.new("RGB", (32, 16)),) * 3
    film = made(images=(GeneratedImage(image=frames[1], frames=frames, seconds=1.0),))
    tile = result.result_of(film, GeneratedImages(folder=tmp_path)).right_tile
    assert [Path(clip).suffix for clip in tile.clips] == [".mp4", ".webp"]
    files = [tmp_path / address.removeprefix("images/") for address in (tile.src, *tile.clips)]
    assert {png_metadata.read(file).frames for file in files} == {3}


def test_the_settings_of_an_image_have_the_whole_prompt(tmp_path: Path) -> None:
    asked = job(prompt="猫" * 500)
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    assert "猫" not in shown.detail
    assert "猫" * 500 in shown.right_tile.settings


def test_the_files_of_the_loras_are_hashed_once_for_all_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(infotext, "autov3", read.append)
    asked = job()
    result.result_of(made(asked, comparison.weight_sweep(asked)), GeneratedImages(folder=tmp_path))
    assert len(read) == 1


def test_a_row_under_a_pair_has_the_pairs_own_images(tmp_path: Path) -> None:
    asked = job()
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    offered = replace(shown, offered=(0.0, 0.3, 0.8))
    assert (offered.slots, offered.missing) == ([(0.0, 0), (0.3, None), (0.8, 1)], (0.3,))
    whole = result.with_weights(
        offered, made(asked, comparison.weight_sweep(asked, (0.3,))), GeneratedImages(folder=tmp_path)
    )
    assert (whole.missing, whole.slots[1], whole.usable) == ((), (0.3, 2), None)
    assert whole.showing(2).usable == 0.3


def test_without_both_of_two_loras_is_no_weight_of_one(tmp_path: Path) -> None:
    asked = job(adapter(), adapter(ref=Ref.parse("civitai:9@90#900"), title="Paper", weight=0.5))
    shown = result.result_of(made(asked, comparison.before_after(asked)), GeneratedImages(folder=tmp_path))
    assert [tile.weight for tile in shown.tiles] == [None, 0.8]


def test_a_link_says_what_it_leaves_out(tmp_path: Path) -> None:
    shown = result.result_of(made(), GeneratedImages(folder=tmp_path))
    mine = View(page="try", stack=(StackedLora(ref=f"local:ink@{'a' * 64}"),), settings=TrySettings(base="/secret"))
    linked = result.with_link(shown, mine)
    assert ("secret" in linked.link, "local" in linked.link) == (False, False)
    assert linked.link_note == (
        "The share link leaves out LoRAs that are files of this computer. "
        "The share link leaves out the base, which is a folder of this computer."
    )


def test_labels_of_cells_are_in_the_language_of_the_page() -> None:
    cells = [("pair", "without"), ("pair", "with Ink 0.8"), ("trigger", "without “ink”"), ("both", "with love 1")]
    labels = [result.cell_label(kind, label) for kind, label in cells]  # type: ignore[arg-type]
    assert labels == [label for _kind, label in cells]
    with use_language(get_language("ja")):
        labels = [result.cell_label(kind, label) for kind, label in cells]  # type: ignore[arg-type]
    assert labels == ["LoRA なし", "Ink 0.8 あり", "“ink” なし", "with love 1"]
