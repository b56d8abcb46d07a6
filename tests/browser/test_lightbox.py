"""An image shown large in a real browser: how it was made, in full and safe. Videos never start by themselves."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from shutil import copytree
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from connectors.record import Example, Lora, Version
from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser import axe
from tests.browser.conftest import Watch
from tests.browser.demo import Demo, served_demo
from tests.browser.journey import stop
from tests.browser.layout import COUNT_SHIFTS, assert_still, forget_shifts

pytestmark = pytest.mark.browser
TINY, WITH_VIDEO = "civitai:900102", "civitai:690210"
HOSTILE = "<img src=x onerror=\"document.title='run'\">${document.title='run'}<script>document.title='run'</script>"
# A second of a moving square, as WebM. No video file has to be kept, and no other program makes one.
RECORD = """async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
  const context = canvas.getContext('2d');
  let at = 0;
  const drawing = setInterval(() => {
    context.fillStyle = 'navy'; context.fillRect(0, 0, 64, 64);
    context.fillStyle = 'gold'; context.fillRect(at++ % 48, 24, 16, 16);
  }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm' });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((done) => { recorder.onstop = done; });
  recorder.start();
  await new Promise((done) => setTimeout(done, 1000));
  recorder.stop();
  await stopped;
  clearInterval(drawing);
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Demo]:
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
    with served_demo(folder) as running:
        yield running


def large(page: Page) -> Locator:
    return page.locator(".lightbox section")


def look(page: Page, demo: Demo, ref: str) -> None:
    page.goto(f"{demo.url}?open={ref}")
    expect(page.locator(".detail .pin")).to_be_visible()
    page.locator(".strip > figure").first.click()
    expect(page.locator(".lightbox")).to_be_visible()


def test_all_settings_are_there_and_go_to_the_try_page(demo: Demo, journey: Page) -> None:
    look(journey, demo, TINY)
    for name in ("Seed", "Steps", "Sampler", "Guidance", "Model"):
        expect(large(journey).get_by_role("button", name=name, exact=True)).to_be_visible()
    stop(journey)
    prompt = large(journey).locator(".prompt").first.inner_text()
    large(journey).get_by_role("button", name="Use these settings").click()
    expect(journey).to_have_url(re.compile("view=try"))
    expect(journey.locator(".lightbox")).to_be_hidden()
    expect(journey.get_by_label("Prompt", exact=True)).to_have_value(prompt)


@pytest.mark.journeys
def test_a_setting_is_copied_and_explained(demo: Demo, browser: Browser) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    look(page, demo, TINY)
    row = large(page).locator("dl > div").filter(has_text="Seed")
    row.get_by_role("button", name="Copy Seed").click()
    assert page.evaluate("navigator.clipboard.readText()") == row.locator("dd span").inner_text()
    # The note has to lie within the dialog: what is outside of it can't be used.
    row.get_by_role("button", name="Seed", exact=True).click()
    expect(page.locator(".lightbox #term-note")).to_contain_text("The number that the first noise comes from")
    page.keyboard.press("Escape")
    expect(page.locator("#term-note")).to_be_hidden()
    expect(page.locator(".lightbox")).to_be_visible()
    context.close()


@pytest.mark.journeys
def test_focus_stays_in_it_and_goes_back_to_where_it_came_from(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={TINY}")
    expect(page.locator(".detail .facts")).to_be_visible()
    page.locator(".strip").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close image")).to_be_focused()
    inside = "document.activeElement === document.body || Boolean(document.activeElement.closest('.lightbox'))"
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(page.locator(".lightbox")).to_be_hidden()
    expect(page.locator(".strip")).to_be_focused()
    expect(page.locator(".detail")).to_be_visible()


@pytest.mark.journeys
def test_a_prompt_of_any_length_and_hostile_text_break_nothing(demo: Demo, page: Page) -> None:
    params = {"seed": HOSTILE, "negativePrompt": HOSTILE * 20, "Some setting": "x" * 5000, "Model": HOSTILE}
    example = Example(
        url=f"{demo.hubs.civitai}/pictures/gone.webp", prompt=HOSTILE + " word" * 3000, nsfw="safe", params=params
    )
    ref = Ref.parse("civitai:404405")
    version = Version(ref=ref.at("1"), name=HOSTILE, description=HOSTILE, examples=(example,))
    of = Lora(
        ref=ref, title=HOSTILE, creator=HOSTILE, tags=(HOSTILE, "t" * 900), url="https://civitai.com/models/404405",
        versions=(version, Version(ref=ref.at("2"), name="v0" * 400)),
    )  # fmt: skip
    demo.services.catalog.add([of])
    for width in (1440, 1024, 390):
        page.set_viewport_size({"width": width, "height": 844})
        look(page, demo, "civitai:404405")
        assert page.evaluate(
            "document.querySelector('.detail').scrollWidth <= document.querySelector('#detail').clientWidth"
        )
        assert page.evaluate(
            "(() => { const s = document.querySelector('.lightbox section'); return s.scrollWidth <= s.clientWidth })()"
        )
        expect(page.get_by_role("button", name="Close image")).to_be_in_viewport()
        assert "run" not in page.title().split()
    assert page.locator(".lightbox img[src=x], .detail img[src=x]").count() == 0


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    watch = Watch()
    context: BrowserContext = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.add_init_script(COUNT_SHIFTS)
    watch.over(context)
    yield context.new_page()
    context.close()
    assert watch.faults == []


def test_on_a_phone_it_fills_the_screen_and_is_swiped(demo: Demo, phone: Page) -> None:
    phone.goto(f"{demo.url}?open=civitai:412806")
    expect(phone.locator(".detail .facts")).to_be_visible()
    phone.locator(".strip > figure").first.tap()
    expect(phone.locator(".lightbox .number b")).to_have_text("1")
    box = phone.locator(".lightbox").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}
    forget_shifts(phone)
    swipe = """(dialog, by) => { const stage = dialog.querySelector('.stage');
      const touch = (x) => new Touch({identifier: 1, target: stage, clientX: x, clientY: 200});
      stage.dispatchEvent(new TouchEvent('touchstart', {bubbles: true, touches: [touch(200)]}));
      stage.dispatchEvent(new TouchEvent('touchend', {bubbles: true, changedTouches: [touch(200 + by)]})); }"""
    phone.locator(".lightbox").evaluate(swipe, -120)
    expect(phone.locator(".lightbox .number b")).to_have_text("2")
    phone.locator(".lightbox").evaluate(swipe, 120)
    expect(phone.locator(".lightbox .number b")).to_have_text("1")
    assert_still(phone, 0.1)
    assert axe.violations(phone) == []
    phone.get_by_role("button", name="Close image").tap()
    expect(phone.locator(".lightbox")).to_be_hidden()
    expect(phone.get_by_role("button", name="Download & try")).to_be_in_viewport()


def paused(page: Page) -> bool:
    return bool(page.evaluate("document.querySelector('.strip video').paused"))


@pytest.mark.journeys
def test_a_video_plays_while_it_is_pointed_at_and_never_by_itself(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={WITH_VIDEO}")
    expect(page.locator(".strip video")).to_be_visible()
    page.locator(".detail h2").hover()
    page.wait_for_timeout(300)
    assert paused(page)
    page.locator(".strip video").hover(position={"x": 60, "y": 60})
    page.wait_for_function("document.querySelector('.strip video').currentTime > 0.1")
    assert page.evaluate("document.querySelector('.strip video').muted")
    page.locator(".detail h2").hover()
    page.wait_for_function("document.querySelector('.strip video').paused")
    page.locator(".strip video").click(position={"x": 60, "y": 60})
    expect(page.locator(".lightbox video")).to_have_js_property("controls", True)
    assert page.evaluate("document.querySelector('.lightbox video').paused")


@pytest.mark.journeys
def test_who_asks_for_less_motion_gets_a_video_by_a_press_only(demo: Demo, browser: Browser) -> None:
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{demo.url}?open={WITH_VIDEO}")
    page.locator(".strip video").hover(position={"x": 60, "y": 60})
    page.wait_for_timeout(500)
    assert paused(page)
    page.get_by_role("button", name="Play the video").click()
    page.wait_for_function("document.querySelector('.strip video').currentTime > 0.1")
    context.close()
