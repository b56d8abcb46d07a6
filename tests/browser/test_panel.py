"""The panel of one LoRA in a real browser: its images, its words, and files that want a key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from shutil import copytree

import pytest
from playwright.sync_api import Browser, Page, expect

from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser.demo import Demo, served_demo

pytestmark = pytest.mark.browser
GATED, EARLY, MATURE = "huggingface:hollowpine/court-astronomer", "civitai:731905", "civitai:266790"
PICTURES = "huggingface:shapeworks/ink-outline-tiny"
# The strip of pictures has come to rest at one of them.
RESTS_AT = """(at) => {
  const strip = document.querySelector('.strip');
  return Math.abs(strip.scrollLeft - at * strip.clientWidth) < 1;
}"""

# The list gets another width while the strip moves.
NARROW_LATER = """document.querySelector('#detail').addEventListener('scroll', () => {
  document.querySelector('#grid').style.width = '700px';
  requestAnimationFrame(() => requestAnimationFrame(() => { window.isNarrow = true; }));
}, { capture: true, once: true })"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """With keys that the gated and the early-access sample are granted to."""
    folder = tmp_path_factory.mktemp("panel")
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    grants = {"hf_granted": ["hollowpine/court-astronomer"], "civitai_granted": ["731905"]}
    (folder / "data" / "access.json").write_text(json.dumps({"grants": grants}), encoding="utf-8")
    with served_demo(folder, keys={"huggingface": "hf_granted", "civitai": "civitai_granted"}) as running:
        yield running


@pytest.mark.parametrize("ref", [GATED, pytest.param(EARLY, marks=pytest.mark.journeys)])
def test_what_the_key_is_granted_is_downloaded_in_the_page(demo: Demo, page: Page, ref: str) -> None:
    page.goto(f"{demo.url}?open={ref}")
    expect(page.locator(".detail .caution")).to_contain_text("It opens for you")
    page.get_by_role("button", name="Pull", exact=True).click()
    expect(page.locator(".detail .actions")).to_contain_text("In library")


def test_pictures_are_stepped_through_and_one_is_shown_large(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={PICTURES}")
    number = page.locator(".counted b")
    expect(number).to_have_text("1")
    page.get_by_role("button", name="Next image").click()
    expect(number).to_have_text("2")
    page.wait_for_function(RESTS_AT, arg=1)
    page.locator(".strip").hover()
    page.mouse.wheel(0, 100)
    expect(number).to_have_text("3")
    page.wait_for_function(RESTS_AT, arg=2)
    page.locator(".strip").focus()
    page.keyboard.press("ArrowLeft")
    expect(number).to_have_text("2")
    page.wait_for_function(RESTS_AT, arg=1)
    page.locator(".strip figure").nth(1).click()
    large = page.locator(".lightbox img")
    expect(large).to_have_attribute("src", page.locator(".strip img").nth(1).get_attribute("data-full") or "")
    page.keyboard.press("ArrowRight")
    expect(large).to_have_attribute("src", page.locator(".strip img").nth(2).get_attribute("data-full") or "")
    page.keyboard.press("Escape")
    expect(page.locator(".lightbox")).to_be_hidden()
    expect(page.locator(".detail")).to_be_visible()


@pytest.mark.journeys
def test_an_image_that_is_stepped_to_stays_when_the_list_is_laid_out_meanwhile(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={PICTURES}")
    expect(page.locator(".counted b")).to_have_text("1")
    expect(page.locator(".hub.good")).to_have_count(3)
    page.evaluate(NARROW_LATER)
    page.get_by_role("button", name="Next image").click()
    page.wait_for_function("window.isNarrow")
    expect(page.locator(".counted b")).to_have_text("2")
    page.wait_for_function(RESTS_AT, arg=1)


def test_every_picture_comes_from_the_page_itself(demo: Demo, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.resource_type == "image" else None)
    page.goto(f"{demo.url}?open={PICTURES}")
    expect(page.locator(".hub.good")).to_have_count(3)
    expect(page.locator(".detail .description")).to_be_visible()
    page.wait_for_function("[...document.querySelectorAll('.strip img')].some((each) => each.naturalWidth > 100)")
    assert [url for url in asked if not url.startswith((demo.url, "data:"))] == []


@pytest.mark.journeys
def test_a_mature_picture_is_shown_when_asked_for_and_the_choice_holds_in_a_new_tab(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    expect(page.locator(".hub.good")).to_have_count(3)
    level = page.get_by_label("Mature images", exact=True)
    level.select_option("mature")
    expect(page).to_have_url(re.compile("nsfw=mature"))
    tab = page.context.new_page()
    tab.goto(f"{demo.url}?open={MATURE}")
    expect(tab.get_by_label("Mature images", exact=True)).to_have_value("mature")
    blurred = tab.locator(".strip .blurred")
    expect(blurred).to_have_css("filter", "blur(18px)")
    tab.get_by_role("button", name="Show this mature image").click()
    expect(blurred).to_have_css("filter", "none")
    tab.get_by_label("without blur").check()
    third = page.context.new_page()
    third.goto(f"{demo.url}?open={MATURE}")
    expect(third.locator(".strip .blurred")).to_have_css("filter", "none")


@pytest.mark.journeys
def test_a_description_without_a_break_does_not_hold_the_page_up(demo: Demo, page: Page) -> None:
    endless = Lora(
        ref=Ref.parse("civitai:404404"), title="Two  spaces " + "T" * 90_000, url="https://civitai.com/models/404404",
        description="W" * 100_000, description_format="markdown",
    )  # fmt: skip
    demo.services.catalog.add([endless])
    page.goto(f"{demo.url}?open=civitai:404404")
    expect(page.locator(".detail .description")).to_contain_text("There is more of it on the hub.")
    expect(page.locator(".detail h2")).to_have_text("Two spaces " + "T" * 288 + "…")
    assert page.locator(".description wbr").count() == 999
    assert page.evaluate("document.querySelector('.description').scrollWidth") < 372
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".detail")).to_have_count(0)


@pytest.mark.journeys
def test_beside_the_panel_the_summary_of_a_search_has_a_line_of_its_own(demo: Demo, page: Page) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{demo.url}?q=ink&base=tiny-shapes&open={PICTURES}")
    expect(page.locator(".detail h2")).to_be_visible()
    expect(page.locator(".sentence .part")).to_have_count(2)
    # All of one moment: what the summary says grows while hubs answer.
    summary, saved, sort, grid = page.locator("#sentence, #saved, #sort, #grid").evaluate_all(
        "(nodes) => nodes.map((node) => node.getBoundingClientRect().toJSON())"
    )
    assert summary["width"] == grid["width"]
    assert saved["top"] == sort["top"] >= summary["bottom"]


@pytest.mark.journeys
def test_what_stacking_has_done_is_told(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={PICTURES}")
    page.get_by_role("button", name="+ Stack", exact=True).click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("“ink-outline-tiny” is on the Try page now.")


@pytest.mark.journeys
def test_a_link_to_another_page_does_not_show_browse_first(demo: Demo, page: Page) -> None:
    page.add_init_script(
        """addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
          const browse = document.getElementById('page-browse');
          if (browse && browse.offsetParent) { window.flashed = true; }
        }).observe(document, {childList: true, subtree: true, attributes: true}));"""
    )
    page.goto(f"{demo.url}?view=library")
    expect(page.get_by_role("link", name="Library")).to_have_attribute("aria-current", "page")
    assert page.evaluate("window.flashed") is None
    page.get_by_role("link", name="Browse").click()
    expect(page.locator("#page-browse")).to_be_visible()


def test_the_heart_is_there_in_another_tab_too(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={PICTURES}")
    # What was painted before the click may come after its answer.
    expect(page.locator(".detail .facts")).to_contain_text("the file itself")
    heart = page.get_by_role("button", name="Favourite")
    heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    assert demo.services.annotations.get(Ref.parse(PICTURES)).favorite
    tab = page.context.new_page()
    tab.goto(f"{demo.url}?open={PICTURES}")
    again = tab.get_by_role("button", name="Favourite")
    expect(again).to_have_attribute("aria-pressed", "true")
    again.click()
    expect(again).to_have_attribute("aria-pressed", "false")


@pytest.mark.journeys
def test_a_link_to_this_lora_alone_is_shared(demo: Demo, browser: Browser) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.clock.install()
    page.goto(f"{demo.url}?q=ink&sort=likes&open={PICTURES}")
    expect(page.get_by_role("button", name="Share")).to_be_visible()
    # It is said for two seconds.
    page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    page.get_by_role("button", name="Share").click()
    expect(page.locator(".head .done")).to_have_text("Link copied")
    page.clock.resume()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{demo.url}?open=huggingface%3Ashapeworks/ink-outline-tiny"
    other = context.new_page()
    other.goto(link)
    expect(other.locator(".detail h2")).to_have_text("ink-outline-tiny")
    context.close()


def test_creator_and_tag_close_the_panel_and_search(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?q=ink&open={PICTURES}")
    page.locator(".detail .line a").click()
    expect(page.locator(".detail")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?q=creator%3Ashapeworks$"))
    tab = page.context.new_page()
    tab.goto(f"{demo.url}?open=civitai:412806")
    tab.locator(".detail .tags a").get_by_text("gouache").click()
    expect(tab).to_have_url(re.compile(r"\?q=tag%3Agouache$"))
    expect(tab.locator("#search input, #search textarea").first).to_have_value("tag:gouache")
