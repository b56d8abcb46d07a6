"""Images made anywhere, dropped on the page: their LoRAs are found and pulled, and the same is made again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page, expect

from hub_ui.demo.hubs.faults import Fault
from hub_ui.demo.hubs.folder import PACKAGE
from hub_ui.images.infotext import autov3
from hub_ui.library.identify import digests
from tests.browser import places
from tests.browser.demo import Demo, whole_demo
from tests.browser.journey import stop
from tests.browser.layout import forget_shifts
from tests.browser.places import MAKING, WAIT

pytestmark = pytest.mark.browser
ROBOT = PACKAGE / "data" / "weights" / "loras" / "sks-robot.safetensors"
SETTINGS = "Steps: 4, Sampler: Euler, CFG scale: 5, Seed: 77, Size: 128x128, Model: dreamshaper_8"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("dropped")) as running:
        yield running


def png(path: Path, **chunks: str) -> Path:
    info = PngInfo()
    for key, text in chunks.items():
        info.add_text(key, text)
    Image.new("RGB", (128, 128), "teal").save(path, pnginfo=info)
    return path


def drop(page: Page, address: str, file: Path, media_type: str = "image/png") -> None:
    page.goto(address)
    expect(page.locator("#make")).to_be_attached()
    expect(page.locator(".hub.good")).to_have_count(3)
    expect(page.locator(".card.ghost")).to_have_count(0)
    places.drop(page, file.name, file.read_bytes(), media_type)


def test_an_image_of_a1111_is_made_again_from_any_page(demo: Demo, journey: Page, tmp_path: Path) -> None:
    text = f'a robot <lora:robot:0.9>\nNegative prompt: dull\n{SETTINGS}, Lora hashes: "robot: {autov3(ROBOT)}"'
    drop(journey, demo.url, png(tmp_path / "robot.png", parameters=text))
    expect(journey.locator(".dropped li.download")).to_be_visible(timeout=WAIT)
    expect(journey.locator("#page-try [data-stack]")).to_be_visible()
    # The Try page has taken the place of the other, as asked.
    forget_shifts(journey)
    stop(journey)
    expect(journey.locator(".dropped")).not_to_contain_text("by its name alone")
    journey.get_by_role("button", name="Make it again", exact=True).click()
    expect(journey.locator(".pair .tag.left")).to_have_text("yours", timeout=MAKING)
    expect(journey.locator(".pair .tag.right")).to_have_text("made again")
    expect(journey.locator(".proof")).to_contain_text("seed 77")
    expect(journey).to_have_url(re.compile(r"lora=civitai.*\*0\.9"))
    assert any(entry.sha256 == digests(ROBOT).sha256 for entry in demo.services.library.entries())


def test_an_image_of_this_app_is_made_again_bit_for_bit(demo: Demo, page: Page, tmp_path: Path) -> None:
    page.goto(f"{demo.url}?view=try&steps=4&seed=5&prompt=a+red+circle&lora=huggingface:shapeworks/ink-outline-tiny")
    page.locator("#make").click()
    expect(page.get_by_role("link", name="save PNG")).to_be_visible(timeout=MAKING)
    with page.expect_download() as saved:
        page.get_by_role("link", name="save PNG").click()
    saved.value.save_as(tmp_path / "ours.png")
    later = page.context.new_page()
    drop(later, demo.url, tmp_path / "ours.png")
    expect(later.locator(".dropped li.here")).to_have_count(1, timeout=WAIT)
    later.get_by_role("button", name="Make it again", exact=True).click()
    expect(later.locator(".pair .tag.left")).to_have_text("yours", timeout=MAKING)
    same = """() => Promise.all([...document.querySelectorAll('.pair img')].map(async (image) => {
      await image.decode();
      const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
      canvas.getContext('2d').drawImage(image, 0, 0);
      return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].join();
    })).then((all) => all[0] === all[1])"""
    assert later.evaluate(same) is True


@pytest.mark.journeys
def test_a_jpeg_says_it_in_its_exif(demo: Demo, page: Page, tmp_path: Path) -> None:
    text = f'a robot <lora:robot:0.5>\n{SETTINGS}, Lora hashes: "robot: {digests(ROBOT).sha256[:10]}"'
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    Image.new("RGB", (128, 128)).save(tmp_path / "photo.jpg", exif=exif)
    drop(page, demo.url, tmp_path / "photo.jpg", "image/jpeg")
    expect(page.locator(".dropped li")).to_contain_text("0.5", timeout=WAIT)
    expect(page.locator(".dropped li.missing")).to_have_count(0)


@pytest.mark.journeys
def test_a_graph_of_comfyui_is_read_and_what_is_missing_is_left_out(demo: Demo, page: Page, tmp_path: Path) -> None:
    graph = {
        "3": {"class_type": "KSampler", "inputs": {
            "seed": 9, "steps": 4, "cfg": 5, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["8", 0]}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red square"}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dull"}},
        "8": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128}},
        "10": {"class_type": "LoraLoader", "inputs": {
            "lora_name": "zz-nowhere.safetensors", "strength_model": 1, "model": ["11", 0]}},
        "11": {"class_type": "LoraLoader", "inputs": {"lora_name": "sks-robot.safetensors", "strength_model": 0.6}},
    }  # fmt: skip
    drop(page, f"{demo.url}?base=tiny-shapes", png(tmp_path / "comfy.png", prompt=json.dumps(graph)))
    expect(page.locator(".dropped li.missing")).to_contain_text("zz-nowhere", timeout=WAIT)
    expect(page.get_by_role("link", name="Search for it")).to_have_attribute("href", "?q=zz-nowhere")
    page.get_by_text("Its settings in full").click()
    expect(page.locator(".dropped dl")).to_contain_text("a red square")
    page.get_by_role("button", name="Make it without it").click()
    expect(page.locator(".pair .tag.right")).to_have_text("made again", timeout=MAKING)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [("plain.png", None, "does not say what it was made from"), ("broken.png", b"\x89PNG\r\n\x1a\nx", "can't be read")],
)
def test_what_can_not_be_read_is_told_in_place(
    demo: Demo, page: Page, tmp_path: Path, name: str, data: bytes | None, said: str
) -> None:
    file = png(tmp_path / name)
    if data is not None:
        file.write_bytes(data)
    drop(page, demo.url, file)
    expect(page.locator(".dropped .problem")).to_contain_text(said, timeout=WAIT)
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".dropped")).to_have_count(0)


@pytest.mark.journeys
def test_an_image_that_is_dropped_while_another_is_read_counts(demo: Demo, page: Page, tmp_path: Path) -> None:
    slow = f'a robot <lora:nowhere:1>\n{SETTINGS}, Lora hashes: "nowhere: 0123456789ab"'
    page.goto(demo.url)
    expect(page.locator(".hub.good")).to_have_count(3)
    demo.hubs.faults.add(Fault(kind="latency", hub="civitai", seconds=3600.0))
    try:
        first = png(tmp_path / "slow.png", parameters=slow)
        places.drop(page, first.name, first.read_bytes(), "image/png")
        expect(page.locator("#dropped")).to_contain_text("Looking for what it was made with", timeout=WAIT)
        second = png(tmp_path / "second.png", parameters=f"a green boat\n{SETTINGS}")
        places.drop(page, second.name, second.read_bytes(), "image/png")
        expect(page.locator(".dropped")).to_contain_text("second.png", timeout=WAIT)
        page.locator("#nav").get_by_text("Browse").click()
        expect(page).not_to_have_url(re.compile("view=try"))
    finally:
        demo.hubs.faults.clear()
    # Time for the answer about the first one.
    page.wait_for_timeout(2000)
    expect(page.locator(".dropped")).to_contain_text("second.png")
    expect(page.locator("#nav [aria-current=page]")).to_contain_text("Browse")


@pytest.mark.journeys
def test_hostile_texts_in_an_image_stay_text(demo: Demo, page: Page, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)> ${alert(2)} {{3*3}} `x` \u202eevil " + "x" * 3_000
    name = re.sub("[<>:]", "", hostile)[:250]
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    drop(page, demo.url, png(tmp_path / "a.png", parameters=f"{hostile} <lora:{name}:1>\n{SETTINGS}"))
    expect(page.locator(".dropped li")).to_have_count(1, timeout=WAIT)
    page.get_by_text("Its settings in full").click()
    expect(page.locator(".dropped dl")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
