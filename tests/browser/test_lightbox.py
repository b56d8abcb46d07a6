"""An image shown large in a real browser, by mouse and keys. Videos play only where they are pointed at."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from shutil import copytree
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser import axe
from tests.hub_ui.web.raw import Visitor, served

pytestmark = pytest.mark.browser
TINY, WITH_VIDEO, MATURE = "civitai:900102", "civitai:690210", "civitai:702218"
# A second of a square that changes its colour, as WebM. No video file has to be kept, and no other program makes one.
RECORD = """async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
  const context = canvas.getContext('2d');
  let at = 0;
  const drawing = setInterval(() => {
    context.fillStyle = ['navy', 'gold'][at++ % 2]; context.fillRect(0, 0, 64, 64);
  }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm' });
  const recorded = new Promise((done) => { recorder.ondataavailable = (event) => done(event.data); });
  recorder.start();
  setTimeout(() => recorder.stop(), 1000);
  const bytes = new Uint8Array(await (await recorded).arrayBuffer());
  clearInterval(drawing);
  return btoa(String.fromCharCode(...bytes));
}"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Visitor]:
    """The first image of one sample is a video."""
    folder = tmp_path_factory.mktemp("lightbox")
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    page = browser.new_page()
    video = base64.b64decode(page.evaluate(RECORD))
    page.close()
    (folder / "data" / "pictures" / "clip.webm").write_bytes(video)
    sample = folder / "data" / f"civitai_model_{WITH_VIDEO.partition(':')[2]}.json"
    model: dict[str, Any] = json.loads(sample.read_text(encoding="utf-8"))
    images = model["modelVersions"][0]["images"]
    clip = {**images[0], "url": "{CIVITAI_ENDPOINT}/pictures/original=true/clip.webm", "type": "video", "nsfwLevel": 1}
    model["modelVersions"][0]["images"] = [clip, *images]
    sample.write_text(json.dumps(model), encoding="utf-8")
    with served(folder / "home", data=folder / "data") as running:
        yield running


def box(page: Page) -> Locator:
    return page.locator("#lightbox")


def look(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("#strip a").first.click(timeout=30_000)
    expect(box(page)).to_be_visible()


def test_keys_step_through_the_images_and_settings_go_to_the_compare_page(demo: Visitor, page: Page) -> None:
    page.goto(f"{demo.url}?open={TINY}")
    page.locator("#strip a").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#strip a").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(box(page).locator("figcaption")).to_have_text("2 / 3")
    page.keyboard.press("ArrowRight")
    expect(box(page).locator("figcaption")).to_have_text("3 / 3")
    page.keyboard.press("Escape")
    expect(box(page)).to_be_hidden()
    expect(page.locator("#strip a").nth(2)).to_be_focused()
    expect(page.locator("#panel h2")).to_be_visible()
    page.locator("#strip a").first.click()
    expect(box(page).locator("dt").filter(has_text="Guidance")).to_be_visible()
    assert axe.violations(page) == []
    box(page).get_by_role("link", name="Use these settings").click()
    expect(page).to_have_url(re.compile(r"/try\?.*prompt=.*seed=1"))


def test_a_mature_image_is_shown_once_it_is_asked_for_and_then_large_too(demo: Visitor, page: Page) -> None:
    page.goto(f"{demo.url}?open={MATURE}&nsfw=explicit")
    first = page.locator("#strip figure").first
    expect(first.locator("img")).not_to_have_css("filter", "none")
    first.get_by_text("Show this explicit image").click()
    expect(first.locator("img")).to_have_css("filter", "none")
    first.locator("a").click()
    expect(box(page).locator("img")).to_have_css("filter", "none")


def test_a_video_plays_where_it_is_pointed_at_unless_less_motion_is_asked_for(demo: Visitor, page: Page) -> None:
    page.goto(f"{demo.url}?q=fishing")
    card = page.locator(".card:not(.ghost)").first
    expect(card.locator("[data-video]")).to_be_visible()
    page.emulate_media(reduced_motion="reduce")
    card.hover()
    expect(card.locator("video")).to_have_count(0)
    page.emulate_media(reduced_motion="no-preference")
    page.locator("#q").hover()
    card.hover()
    expect(card.locator("video")).to_have_js_property("paused", False)
    held: list[Route] = []
    page.route("**/lora/read?*", lambda route: held.append(route))
    card.locator(".hit").click()
    page.locator("#strip figure").first.hover()
    expect(page.locator("#strip video")).to_have_js_property("paused", False)
    expect(card.locator("video")).to_have_count(0)
    held[0].continue_()
    expect(page.locator("#panel")).to_contain_text("The hub no longer has this.")
    expect(page.locator("#strip video")).to_have_js_property("paused", False)


def test_on_a_phone_an_image_and_how_it_was_made_fit_the_screen(demo: Visitor, open_page: Callable[..., Page]) -> None:
    page = open_page(viewport={"width": 390, "height": 844})
    look(page, f"{demo.url}?open={TINY}")
    expect(box(page).get_by_role("link", name="Close image")).to_be_in_viewport()
    expect(box(page).get_by_role("link", name="Use these settings")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
