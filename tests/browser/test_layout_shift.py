"""Nothing moves by itself under a person's eyes or finger: Cumulative Layout Shift is good below 0.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import places
from tests.browser.layout import COUNT_SHIFTS, shifted
from tests.browser.places import come_to_rest

pytestmark = pytest.mark.browser
GOOD = 0.1


@pytest.fixture(params=[1440, 390])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": request.param, "height": 844})
    context.add_init_script(COUNT_SHIFTS)
    yield context.new_page()
    context.close()


def test_the_first_page_does_not_shift_while_it_fills(demo: str, page: Page) -> None:
    places.browse(page, demo)
    come_to_rest(page)
    assert shifted(page) < GOOD


def test_the_panel_opens_and_closes_at_the_click_and_nothing_moves_after_it(demo: str, page: Page) -> None:
    places.browse(page, demo)
    come_to_rest(page)
    page.locator(".card .hit").nth(9).scroll_into_view_if_needed()
    shifted(page)
    page.locator(".card .hit").nth(9).click()
    expect(page.locator(".detail .actions")).to_be_visible()
    come_to_rest(page)
    assert shifted(page, by_itself=True) < GOOD
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".detail")).to_have_count(0)
    assert shifted(page, by_itself=True) < GOOD


def test_a_strip_comes_without_pushing_the_page_about(demo: str, page: Page) -> None:
    places.try_lora(page, demo)
    page.get_by_role("tab", name="Weights").click()
    expect(page.get_by_role("tab", name="Weights")).to_have_attribute("aria-selected", "true")
    # The field for the weights comes with the tab, and not with the strip.
    come_to_rest(page)
    shifted(page)
    page.locator("#make").click()
    expect(page.locator(".tiles img").first).to_be_visible(timeout=places.MAKING)
    come_to_rest(page)
    assert shifted(page) < GOOD
