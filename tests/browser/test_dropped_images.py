"""An image dropped on a page in a real browser says there how it was made."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from hub_ui.generate.result import GeneratedImage
from hub_ui.images import png_metadata
from tests.browser import axe, places
from tests.hub_ui.generate import making

pytestmark = pytest.mark.browser


def test_an_image_dropped_on_the_list_leads_to_the_same_image(demo: str, page: Page) -> None:
    page.goto(demo)
    places.drop_image(page, "robot.png")
    again = page.get_by_role("link", name="Make it again", exact=True)
    expect(again).to_be_visible(timeout=places.WAIT)
    expect(page.locator("#dropped")).not_to_contain_text("by its name alone")
    expect(again).to_have_attribute("href", re.compile(r"^try\?.*%2A0\.9.*seed=77.*original="))
    assert [found for found in axe.violations(page) if "dropped" in found] == []
    page.locator("#dropped").get_by_role("button", name="Close").click()
    expect(page.locator("#dropped article")).to_have_count(0)


def test_the_image_that_is_dropped_last_is_the_one_that_counts(demo: str, page: Page) -> None:
    page.goto(demo)
    places.drop_image(page, "first.png", f"a robot <lora:nowhere:1>\n{places.SETTINGS}")
    places.drop_image(page, "second.png", f"a green boat\n{places.SETTINGS}")
    expect(page.get_by_role("link", name="Make it again", exact=True)).to_be_visible(timeout=places.WAIT)
    expect(page.locator("#dropped h2")).to_have_text("second.png")


PLAYED = "video => new Promise(done => video.ontimeupdate = () => video.currentTime > 0.2 && done(video.duration))"


def test_a_clip_plays_on_the_page_and_is_made_again_from_its_file(demo: str, page: Page, tmp_path: Path) -> None:
    frames = tuple(Image.new("RGB", (32, 32), (7 * number, 100, 200)) for number in range(33))
    film = making.made(images=(GeneratedImage(image=frames[0], frames=frames, seconds=1.0),))
    png_metadata.save(film, 0, tmp_path / "a.mp4", suffix=".mp4")
    page.goto(demo)
    places.drop(page, "a.mp4", (tmp_path / "a.mp4").read_bytes(), "video/mp4")
    expect(page.get_by_role("link", name="Make it", exact=False).first).to_be_visible(timeout=places.WAIT)
    if page.evaluate("document.createElement('video').canPlayType('video/mp4; codecs=avc1.640028')"):
        assert page.locator(".dropped video").evaluate(PLAYED) == pytest.approx(33 / 16, abs=0.1)
