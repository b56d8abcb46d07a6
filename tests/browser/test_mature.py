"""Mature pictures and videos on cards, in a real browser: blurred until asked for, and nothing moves by itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from connectors.record import Example, Lora, Version
from connectors.ref import Ref
from tests.browser.demo import Demo, whole_demo

pytestmark = pytest.mark.browser
PICTURES = "https://image.civitai.com/a/b/original=true/"
# A second of a video, made by the browser.
RECORD = """async () => {
  const canvas = document.createElement('canvas');
  const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm' });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const done = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start();
  for (let step = 0; step < 20; step += 1) {
    canvas.getContext('2d').fillRect(step, step, 9, 9);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  recorder.stop();
  await done;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}"""


def with_images(page: Page) -> Page:
    """Of a hub that is not here."""
    page.route(
        re.compile(r"hub-picture\?.*image\.civitai\.com"),
        lambda route: route.fulfill(body="<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml"),
    )
    return page


@pytest.fixture
def page(page: Page) -> Page:
    return with_images(page)


@pytest.fixture
def journey(journey: Page) -> Page:
    return with_images(journey)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("mature")) as running:
        example = Example(url="https://image.civitai.com/a/b/original=true/1.mp4", video=True, nsfw="safe")
        version = Version(ref=Ref.parse("civitai:909090@1"), name="v1", examples=(example,))
        moving = Lora(
            ref=version.ref.lora, title="Moving", url="https://civitai.com/models/909090", versions=(version,)
        )
        bare = Example(url=f"{PICTURES}2.jpeg", nsfw="mature")
        shown = Version(ref=Ref.parse("civitai:909091@1"), name="v1", examples=(bare,))
        still = Lora(
            ref=shown.ref.lora, title="Bare", url="https://civitai.com/models/909091", nsfw="mature", versions=(shown,)
        )
        running.services.catalog.add([moving, still])
        yield running


def card_of(page: Page, ref: str) -> Locator:
    return page.locator(".card", has=page.locator(f'.hit[data-ref^="{ref}@"]'))


def test_a_mature_picture_is_hidden_by_default_and_blurred_until_it_is_asked_for(demo: Demo, journey: Page) -> None:
    journey.goto(demo.url + "?q=bare")
    expect(journey.locator(".hub.good")).to_have_count(3)
    expect(journey.locator(".note")).to_contain_text("Nothing matches")
    journey.get_by_label("Mature images", exact=True).select_option("mature")
    expect(journey).to_have_url(re.compile("nsfw=mature"))
    card = card_of(journey, "civitai:909091")
    expect(card.locator("img")).to_have_css("filter", "blur(18px)")
    card.get_by_role("button", name="Show").click()
    expect(card.locator("img")).to_have_css("filter", "none")
    expect(journey.locator(".detail")).to_have_count(0)
    journey.reload()
    expect(card.locator("img")).to_have_css("filter", "none")
    card.locator(".hit").click()
    expect(journey.locator(".detail .actions")).to_be_visible()
    expect(journey).to_have_url(re.compile("nsfw=mature"))


def test_a_video_plays_while_its_card_is_pointed_at_and_makes_no_sound(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?q=moving")
    body = base64.b64decode(page.evaluate(RECORD))
    page.route("**/hub-video?*", lambda route: route.fulfill(body=body, content_type="video/webm"))
    card = card_of(page, "civitai:909090")
    expect(card.locator(".picture[data-video]")).to_be_visible()
    # Each answer may paint the card anew.
    expect(page.locator(".hub.good")).to_have_count(3)
    expect(card.locator("video")).to_have_count(0)
    card.hover()
    expect(card.locator("video")).to_have_js_property("paused", False)
    assert card.locator("video").evaluate("(video) => [video.muted, video.loop, video.controls]") == [True, True, False]
    page.mouse.move(5, 5)
    expect(card.locator("video")).to_have_count(0)


@pytest.mark.journeys
def test_no_video_plays_for_those_who_ask_for_less_motion(demo: Demo, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(demo.url + "?q=moving")
    card = card_of(page, "civitai:909090")
    card.hover()
    expect(card.locator(".moves")).to_be_visible()
    expect(card.locator("video")).to_have_count(0)


@pytest.mark.journeys
def test_a_creator_on_a_card_leads_to_all_of_theirs_and_opens_nothing(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    expect(page.locator(".hub.good")).to_have_count(3)
    # What was known first has no creator, and what the hubs add waits behind a line.
    page.reload()
    expect(page.locator(".hub.good")).to_have_count(3)
    creator = page.locator(".card .creator a").first
    name = creator.inner_text()
    creator.click()
    expect(page.locator(".sentence .part")).to_contain_text(name)
    expect(page.locator(".detail")).to_have_count(0)
