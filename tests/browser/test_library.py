"""The Library page and the downloads in a real browser: what only a browser can see of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from connectors.ref import Ref
from tests.browser import places
from tests.browser.axe import violations
from tests.browser.journey import PHONE, SCREEN
from tests.hub_ui.web.raw import Visitor

pytestmark = pytest.mark.browser
ROBOT, DIAL = "civitai:900103", "civitai:122431"


def remove_all(demo: Visitor) -> None:
    """For good: nothing is left to be undone."""
    demo.services.changes.remove(demo.services.library.entries())
    demo.services.changes.empty()


@pytest.fixture
def demo(whole: Visitor) -> Iterator[Visitor]:
    """With two LoRAs of which nothing is said."""
    for ref in (ROBOT, DIAL):
        whole.services.queue.wait(whole.services.downloads.enqueue(Ref.parse(ref)).id)
    whole.services.queue.clear()
    yield whole
    for entry in whole.services.library.entries():
        whole.services.annotations.change(entry.ref, note="", tags=(), favorite=False)
    remove_all(whole)


def test_a_lora_is_found_opened_noted_and_removed(demo: Visitor, page: Page) -> None:
    page.goto(demo.url + "library")
    find = page.get_by_role("searchbox", name="Find in the library")
    find.fill("dial")
    expect(page.locator(".shelf .hit")).to_have_text(["Detail Dial"])
    expect(find).to_be_focused()
    page.get_by_role("link", name="Remove dial").press("Enter")
    expect(page.locator("#chips")).to_have_count(0)
    expect(find).to_be_focused()
    row = page.get_by_role("link", name="Detail Dial", exact=True)
    row.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("Detail Dial")
    page.keyboard.press("Escape")
    expect(row).to_be_focused()
    row.click()
    page.get_by_label("Note").fill("Good for leaves")
    page.get_by_label("Add a tag").focus()
    expect(page.locator(".shelf .snippet")).to_have_text("Good for leaves")
    page.get_by_text("Remove…").click()
    page.get_by_role("button", name="Remove the file").click()
    expect(page.locator(".said")).to_contain_text("1 LoRA removed.")
    expect(page.locator("#panel article")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".shelf .hit")).to_have_text(["Detail Dial", "SKS Robot"])


def test_ticks_bring_up_the_bar_and_stay_after_what_it_did(demo: Visitor, page: Page) -> None:
    page.goto(demo.url + "library")
    expect(page.get_by_role("toolbar", name="Chosen LoRAs")).to_be_hidden()
    page.get_by_role("checkbox", name="Choose Detail Dial").check()
    page.get_by_role("checkbox", name="Choose SKS Robot").check()
    expect(page.locator("#chosen")).to_have_text("2 chosen")
    page.get_by_role("button", name="♥ Favourite").click()
    expect(page.locator(".shelf .heart")).to_have_count(2)
    expect(page.locator("#chosen")).to_have_text("2 chosen")


def test_ticks_go_along_when_the_page_turns(demo: Visitor, page: Page) -> None:
    one = demo.services.library.entries()[0]
    demo.services.library.adopt(
        replace(one, ref=Ref.parse(f"civitai:{n}@1#1"), title=f"Style {n}", file=f"{n}.safetensors", sha256=f"{n:064x}")
        for n in range(100, 160)
    )
    page.goto(demo.url + "library")
    page.get_by_role("checkbox", name="Choose Style 101").check()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#chosen")).to_have_text("1 chosen")
    page.get_by_role("checkbox", name="Choose Style 155").check()
    page.get_by_role("link", name="Previous").click()
    expect(page.get_by_role("checkbox", name="Choose Style 101")).to_be_checked()
    page.get_by_role("button", name="♥ Favourite").click()
    expect(page.locator(".said")).to_contain_text("2 LoRAs changed.")


def test_from_the_panel_through_the_drawer_into_the_library(demo: Visitor, page: Page) -> None:
    remove_all(demo)
    page.goto(f"{demo.url}?open={ROBOT}")
    page.locator("#panel").get_by_role("button", name="Download").click()
    expect(page.locator("#panel").get_by_role("button", name="In library")).to_be_visible()
    expect(page.locator("#downloads-stream")).to_have_count(0)
    page.locator("#downloads").click()
    expect(page.locator("#drawer")).to_contain_text("in the library")
    page.goto(demo.url + "library")
    expect(page.locator(".shelf .hit")).to_have_text(["SKS Robot"])


def test_a_file_that_is_dropped_anywhere_is_shown(demo: Visitor, page: Page) -> None:
    entry = demo.services.library.entries()[0]
    data = demo.services.library.path(entry).read_bytes()
    page.goto(demo.url)
    places.drop(page, "x.safetensors", data)
    expect(page.locator("#panel h2")).to_have_text(entry.title)


def test_on_a_phone_the_menus_stay_in_the_window_and_the_filters_unfold(demo: Visitor, page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto(demo.url + "library")
    for menu in ("#library-menu", "#add-menu"):
        page.locator(f"{menu} summary").click()
        expect(page.locator(f"{menu} .pop")).to_be_in_viewport(ratio=1)
    page.get_by_text("Filters", exact=True).click()
    page.locator("#filters").get_by_text("CivitAI").click()
    expect(page.locator("#chips")).to_contain_text("CivitAI")


@pytest.mark.parametrize("size", [PHONE, SCREEN])
def test_axe_finds_nothing_and_nothing_is_too_wide(demo: Visitor, page: Page, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    for query in ("", f"?open={demo.services.library.entries()[0].ref}".replace("#", "%23"), "?ltool=collections"):
        page.goto(f"{demo.url}library{query}")
        assert [line for line in violations(page) if "Hubs" not in line] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
