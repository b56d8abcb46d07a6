"""Saved searches by real clicks: they stay in the browser. And the quick filters, which are parts of a search."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)>${alert(2)}"


def test_a_search_is_saved_found_after_a_reload_opened_and_removed(demo: str, page: Page) -> None:
    page.goto(demo + "?q=ink&kind=style")
    expect(page.locator(".hub.good")).to_have_count(3)
    menu, name = page.locator(".saved summary"), page.get_by_label("Name of this search")
    menu.click()
    expect(name).to_have_attribute("placeholder", "styles, ink")
    page.get_by_role("button", name="Save this search").click()
    expect(page.locator(".saved-menu .name")).to_have_text(["styles, ink"])
    name.fill(HOSTILE)
    name.press("Enter")
    expect(page.locator(".saved-menu .name")).to_have_text(["styles, ink", HOSTILE])
    expect(page.locator(".saved-menu img")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(name).not_to_be_visible()

    page.goto(demo)
    expect(page.locator(".saved .badge")).to_have_text("2")
    menu.click()
    page.locator(".saved-menu .name").first.click()
    expect(page).to_have_url(re.compile("q=ink&kind=style"))
    expect(page.locator(".sentence .part")).to_have_count(2)
    expect(name).not_to_be_visible()

    menu.click()
    page.get_by_role("button", name="Remove styles, ink").last.click()
    expect(page.locator(".saved-menu .name")).to_have_text([HOSTILE])
    page.reload()
    expect(page.locator(".saved .badge")).to_have_text("1")


@pytest.mark.journeys
def test_a_quick_filter_is_a_part_of_the_search_and_of_the_address(demo: str, page: Page) -> None:
    page.goto(demo)
    expect(page.locator(".hub.good")).to_have_count(3)
    hide = page.get_by_role("checkbox", name="Hide early access")
    hide.click()
    expect(page).to_have_url(re.compile("q=-access%3Apaid"))
    expect(page.locator(".sentence .part")).to_contain_text("not early access")
    expect(hide).to_be_checked()
    hide.click()
    expect(hide).not_to_be_checked()
    expect(page.locator(".sentence .part")).to_have_count(0)
