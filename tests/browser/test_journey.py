"""The whole line in a real browser: search, open, download, try, see the pair; and a shared link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
PAIR_SECONDS = 120_000


def test_from_an_empty_search_to_the_finished_pair(demo: str, page: Page) -> None:
    page.goto(demo)
    expect(page.locator(".hub.good")).to_have_count(3)
    page.get_by_role("checkbox", name=re.compile("Tiny Shapes")).first.click()
    expect(page.locator(".sentence")).to_contain_text("for Tiny Shapes")
    page.locator(".card .hit").first.click()
    page.get_by_role("button", name="Download & try").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=PAIR_SECONDS)
    expect(page.locator(".proof")).to_contain_text("tensors applied")
    expect(page).to_have_url(re.compile(r"view=try.*lora="))


def test_the_two_images_of_a_pair_differ(demo: str, page: Page) -> None:
    page.goto(demo + "?base=tiny-shapes")
    page.locator(".card .hit").first.click()
    page.get_by_role("button", name="Download & try").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=PAIR_SECONDS)
    sources = [page.locator(f".pair img.{name}").get_attribute("src") for name in ("over", "under")]
    assert sources[0] != sources[1]


def test_a_shared_link_opens_the_same_question_and_the_same_lora(demo: str, page: Page) -> None:
    page.goto(demo + "?kind=style&hub=huggingface")
    page.locator(".card .hit").first.click()
    expect(page).to_have_url(re.compile("open=huggingface"))
    title = page.locator(".detail h2").inner_text()
    shared = page.context.new_page()
    shared.goto(page.url)
    expect(shared.locator(".detail h2")).to_have_text(title)
    expect(shared.locator(".sentence")).to_contain_text("styles")


def test_typing_a_word_and_pressing_enter_searches_for_it(demo: str, page: Page) -> None:
    page.goto(demo)
    expect(page.locator(".hub.good")).to_have_count(3)
    page.get_by_role("combobox", name="Search").fill("zzzznothing")
    page.get_by_role("combobox", name="Search").press("Enter")
    expect(page.locator(".note")).to_contain_text("Nothing matches")
    page.get_by_role("button", name="Remove zzzznothing").click()
    expect(page.locator(".card .hit").first).to_be_visible()


def test_going_back_closes_what_was_opened(demo: str, page: Page) -> None:
    page.goto(demo)
    page.locator(".card .hit").first.click()
    expect(page).to_have_url(re.compile("open="))
    page.go_back()
    expect(page.locator(".card .hit").first).to_be_visible()
    expect(page.locator(".detail")).to_have_count(0)


def test_what_was_pulled_is_in_the_library(demo: str, page: Page) -> None:
    page.goto(demo + "?base=tiny-shapes&hub=civitai")
    page.locator(".card .hit").first.click()
    title = page.locator(".detail h2").inner_text()
    pull = page.locator(".detail .actions button", has_text=re.compile("Pull|In library"))
    if pull.is_enabled():
        pull.click()
    expect(page.locator(".detail .actions")).to_contain_text("In library")
    page.get_by_role("link", name="Library").click()
    expect(page.locator(".shelf").first).to_contain_text(title)


# One address a page: leaving one in the middle of its search is an error on its console.
@pytest.mark.parametrize("address", ["", "?view=try", "?view=library", "?view=train", "?view=settings"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_sticks_out_sideways(demo: str, page: Page, width: int, address: str) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(demo + address)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
