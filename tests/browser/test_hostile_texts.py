"""Sixty hostile texts in every field of a hub: nothing runs, nothing leaves, and no layout breaks at three widths."""

from __future__ import annotations

from collections.abc import Iterator
from shutil import copytree
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser.conftest import Watch
from tests.browser.demo import Demo, served_demo
from tests.browser.hostile import EVERYTHING, FIRST, TEXTS, images, lora_files, write_hub
from tests.browser.layout import beyond_the_window, overlaps, too_wide
from tests.browser.places import come_to_rest, drop

pytestmark = pytest.mark.browser
WIDTHS = (1440, 1024, 390)
BOX = "#search input, #search textarea"
# Nothing ran, and nothing that could run is in the page.
HARM = """() => [...document.querySelectorAll(
  'iframe, object, embed, base:not([href="./"]), [href^="javascript:" i], [src^="javascript:" i], [onerror], [onload]'
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
    watch = Watch()
    context = browser.new_context(viewport={"width": 1440, "height": 960}, reduced_motion="reduce")
    watch.over(context)
    opened = context.new_page()
    opened.on("dialog", lambda dialog: watch.faults.append(f"dialog: {dialog.message}"))
    yield opened
    assert opened.evaluate(HARM) == []
    context.close()
    assert watch.faults == []


def expect_whole(page: Page, containers: str) -> None:
    """At each width: everything lies in the window, and no text on another."""
    faults = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 960})
        come_to_rest(page)
        found = [*beyond_the_window(page), *overlaps(page, containers), *(f"scrolls: {box}" for box in too_wide(page))]
        beside = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults[width] = [*found[:8], *([f"{beside} pixels beside the window"] if beside > 0 else [])]
    assert faults == {width: [] for width in WIDTHS}


@pytest.mark.journeys
def test_in_cards_and_filters(hostile: Demo, page: Page) -> None:
    page.goto(f"{hostile.url}?hub=civitai&sort=newest&nsfw=explicit")
    expect(page.locator(".hub.good")).to_have_count(1)
    expect(page.locator(".card.ghost")).to_have_count(0)
    assert page.locator(".card").count() >= 24
    expect_whole(page, ".card, .facets, .sentence")


def test_in_the_panel(hostile: Demo, page: Page) -> None:
    """Of the LoRA that has all sixty as versions, tags, trigger words, prompts and description."""
    page.goto(f"{hostile.url}?open=civitai:{EVERYTHING}")
    expect(page.locator(".detail .actions")).to_be_visible()
    expect(page.locator(".detail .state", has_text="Reading")).to_have_count(0)
    expect_whole(page, ".detail")


@pytest.mark.journeys
def test_in_the_library_and_names_of_collections(hostile: Demo, page: Page) -> None:
    page.goto(f"{hostile.url}?view=library")
    expect(page.locator("#shelf .row").first).to_be_visible()
    expect_whole(page, "#shelf .row, #library-facets")
    page.get_by_role("button", name="Collections").click()
    rows = page.locator(".bulk-panel .plan tr")
    expect(rows).to_have_count(len(TEXTS))
    rows.first.get_by_role("button", name="Show").click()
    expect(page.locator("#shelf .row")).to_have_count(1)
    expect_whole(page, ".bulk-panel")


@pytest.mark.journeys
def test_in_the_metadata_of_dropped_images(hostile: Demo, page: Page) -> None:
    page.goto(f"{hostile.url}?view=try")
    expect(page.locator("#make")).to_be_visible()
    expect(page.locator(".hub.good")).to_have_count(3)
    for number, (name, data) in enumerate(images()):
        drop(page, name, data, "image/png")
        expect(page.locator(".dropped h3 b")).to_contain_text(f"{number}.png")
        expect(page.locator(".dropped li b").first).to_be_visible()
        page.get_by_text("Its settings in full").click()
        expect_whole(page, ".dropped")


@pytest.mark.journeys
def test_in_the_names_and_metadata_of_dropped_lora_files(hostile: Demo, page: Page) -> None:
    page.goto(f"{hostile.url}?view=library")
    expect(page.locator("#shelf .row").first).to_be_visible()
    for number, (name, data) in enumerate(lora_files()):
        drop(page, name, data)
        expect(page.locator(".own-file h3 b")).to_contain_text(f"{number}.safetensors")
        expect_whole(page, ".own-file")
        page.get_by_role("button", name="Keep in the library").click()
        expect(page.locator(".own-file [role=status]")).to_contain_text("It is in your library, as")
    expect_whole(page, ".own-file, #shelf .row")


@pytest.mark.journeys
def test_in_the_stack_and_the_form_of_the_try_page(hostile: Demo, page: Page) -> None:
    loras = [("lora", str(ref)) for ref in (*REFS[:3], *REFS[-4:])]
    asked = [("view", "try"), *loras, ("prompt", " ".join(TEXTS[:52]))]
    page.goto(f"{hostile.url}?{urlencode(asked, errors='replace')}")
    expect(page.locator(".layer").first).to_be_visible()
    expect_whole(page, ".layer, #page-try")


@pytest.mark.journeys
def test_in_the_search_box(hostile: Demo, page: Page) -> None:
    page.goto(hostile.url)
    expect(page.locator(".hub.good")).to_have_count(3)
    for text in TEXTS:
        page.locator(BOX).fill(text.replace("\ud800", "").replace("\udfff", "")[:3_000])
        page.locator(BOX).press("Enter")
    expect(page.locator(".card.ghost")).to_have_count(0)
    expect_whole(page, ".sentence, #search")


@pytest.mark.journeys
@pytest.mark.parametrize("start", range(0, 60, 15))
def test_in_the_address(hostile: Demo, page: Page, start: int) -> None:
    """Each text stands for another part of the view."""
    names = "q base kind hub sort nsfw open view lora prompt seed sheet on row steps"
    parts = dict(zip(names.split(), (text[:500] for text in TEXTS[start : start + 15]), strict=True))
    page.goto(f"{hostile.url}?{urlencode(parts, errors='replace')}")
    expect(page.locator("#header, header").first).to_be_visible()
    expect(page.locator(".card.ghost")).to_have_count(0)
    expect_whole(page, ".sentence, #search")


def test_the_measures_see_what_lies_upon_another_and_what_is_beside_the_window(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_content("""
      <div class="card"><p style="margin: 0">one</p><p style="margin: -10px 0 0">two</p><p>apart</p>
      <p style="overflow: hidden; width: 50px; white-space: nowrap">cut off where its box ends</p></div>
      <p style="white-space: nowrap">beside the window because it is longer than the window is wide</p>""")
    assert overlaps(page, ".card") == ["P: one | P: two"]
    assert beyond_the_window(page) == ["P: beside the window because it is longer t"]
    page.close()
