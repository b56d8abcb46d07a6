"""Sixty hostile texts in every field of a hub: nothing runs, nothing leaves, and no layout breaks at three widths."""

from collections.abc import Iterator
from shutil import copytree
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser.conftest import watched
from tests.browser.demo import Demo, served_demo
from tests.browser.hostile import EVERYTHING, FIRST, TEXTS, write_hub
from tests.browser.journey import SCREEN
from tests.browser.layout import beyond_the_window, overlaps, too_wide
from tests.browser.places import WAIT, come_to_rest

pytestmark = pytest.mark.browser
WIDTHS = (1440, 1024, 390)
# Nothing ran, and nothing that could run is in the page.
HARM = """() => [...document.querySelectorAll(
  'iframe, object, embed, base, [href^="javascript:" i], [src^="javascript:" i], [onerror], [onload], main style'
)].map((node) => node.outerHTML.slice(0, 120)).concat(window.hacked ? ['it ran'] : [])"""
REFS = [Ref.parse(f"civitai:{FIRST + number}@{FIRST + number}#{FIRST + number}") for number in range(len(TEXTS))]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo with the sixty on its hub and in its library, each with notes and tags and a collection of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    write_hub(folder / "data")
    with served_demo(folder) as demo:
        for ref, text in zip(REFS, TEXTS, strict=True):
            pulled = demo.services.downloads.pull(ref)
            demo.services.collections.add(text[:60], [pulled])
            words = {"note": text[:2_000], "tags": (text[:60],), "trigger_words": (text[:60],)}
            demo.services.annotations.change(ref.lora, **words)
        yield demo


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with watched(browser, viewport=SCREEN, reduced_motion="reduce") as opened:
        yield opened
        assert opened.evaluate(HARM) == []


def expect_whole(page: Page, containers: str) -> None:
    """At each width: everything lies in the window, and no text on another."""
    faults = {}
    come_to_rest(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 960})
        page.wait_for_timeout(100)
        found = [*beyond_the_window(page), *overlaps(page, containers), *(f"scrolls: {box}" for box in too_wide(page))]
        beside = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults[width] = [*found[:8], *([f"{beside} pixels beside the window"] if beside > 0 else [])]
    assert faults == {width: [] for width in WIDTHS}
    page.set_viewport_size({"width": WIDTHS[0], "height": 960})


def test_in_cards_filters_and_the_panel_of_what_has_all_of_them(hostile: Demo, page: Page) -> None:
    """As versions, tags, trigger words, prompts and description."""
    page.goto(f"{hostile.url}?hub=civitai&sort=newest&nsfw=explicit")
    expect(page.locator(".card .hit").nth(23)).to_be_attached(timeout=WAIT)
    expect_whole(page, ".card, #filters, #line")
    page.goto(f"{hostile.url}?open=civitai:{EVERYTHING}")
    expect(page.locator("#panel .actions")).to_be_visible(timeout=WAIT)
    expect_whole(page, "#panel")


@pytest.mark.journeys
def test_in_the_library_its_entries_and_names_of_collections(hostile: Demo, page: Page) -> None:
    page.goto(f"{hostile.url}?view=library")
    expect(page.locator(".shelf tbody tr").first).to_be_visible()
    expect_whole(page, ".shelf tr, #filters")
    page.locator(".shelf .hit").first.click()
    expect(page.locator("#panel .entry")).to_be_visible()
    expect_whole(page, "#panel")
    page.goto(f"{hostile.url}?view=library&ltool=collections")
    expect(page.locator("#tool .plan tr")).to_have_count(len(TEXTS))
    expect_whole(page, "#tool")


@pytest.mark.journeys
def test_in_the_loras_and_the_form_of_the_compare_page(hostile: Demo, page: Page) -> None:
    loras = [("lora", str(ref)) for ref in (*REFS[:3], *REFS[-4:])]
    asked = [("view", "try"), *loras, ("prompt", " ".join(TEXTS[:52]))]
    page.goto(f"{hostile.url}?{urlencode(asked, errors='replace')}")
    expect(page.locator(".layer").first).to_be_visible()
    expect_whole(page, ".layer, #making, #stage")


@pytest.mark.journeys
def test_in_the_search_box_and_in_each_part_of_the_address(hostile: Demo, page: Page) -> None:
    page.goto(hostile.url)
    # An address that names no LoRA is refused, which a browser notes as an error where nothing overtakes the answer.
    for text in (text for text in TEXTS if "://" not in text):
        page.locator("#q").fill(text.replace("\ud800", "").replace("\udfff", "")[:1_000])
        page.locator("#q").press("Enter")
    expect_whole(page, "#line, #header")
    names = "q base kind hub sort nsfw open view lora prompt seed sheet on row steps lq lset ltool lsort tag"
    for start in range(0, len(TEXTS), 20):
        parts = dict(zip(names.split(), (text[:500] for text in TEXTS[start : start + 20]), strict=True))
        page.goto(f"{hostile.url}?{urlencode(parts, errors='replace')}")
        expect(page.locator("#header")).to_be_visible()
        expect_whole(page, "#line, #header")
