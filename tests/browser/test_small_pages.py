"""What only a browser can tell of settings and saved searches: where a key goes, and what is drawn again."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations

pytestmark = pytest.mark.browser
KEY = "civ_typed_once"
HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_typed_key_is_in_one_request_and_in_no_page(demo: str, page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url} {request.post_data or ''}"))
    page.goto(f"{demo}settings")
    page.get_by_label("Key of CivitAI").fill(KEY)
    page.locator("#civitai").get_by_role("button", name="Save").click()
    expect(page.locator("#said-civitai")).not_to_be_empty()
    assert [request.partition(" ")[0] for request in sent if KEY in request] == ["POST"]
    fields = page.evaluate("[...document.querySelectorAll('input[type=password]')].map((each) => each.value).join()")
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert [KEY in text for text in (page.content(), page.url, stored)] == [False] * 3
    assert fields.count(KEY) <= 1


def test_a_theme_holds_for_the_browser_and_is_readable_where_the_system_has_another(demo: str, page: Page) -> None:
    page.goto(f"{demo}settings")
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    for name in ("settings", "about"):
        page.goto(f"{demo}{name}")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert violations(page, colours_only=True) == []


def test_a_search_is_saved_opened_from_another_page_of_the_list_and_removed(demo: str, page: Page) -> None:
    page.goto(f"{demo}?q=ink&kind=style")
    # Others save theirs on the same page.
    menu, saved = page.locator("#searches > summary"), page.locator("#saved .name", has_text=re.compile("ink|<img"))
    menu.click()
    page.get_by_role("button", name="Save this search").click()
    expect(saved).to_have_text(["styles, ink"])
    page.get_by_label("Name of this search").fill(HOSTILE)
    page.keyboard.press("Enter")
    expect(saved).to_have_text(["styles, ink", HOSTILE])
    page.keyboard.press("Escape")
    expect(saved.first).not_to_be_visible()
    # Another list leaves the menu, which then saves that one.
    page.locator("#group-base").get_by_role("checkbox", name="Tiny Shapes").check()
    expect(page).to_have_url(re.compile("base=tiny-shapes"))
    menu.click()
    expect(page.get_by_label("Name of this search")).to_have_attribute("placeholder", re.compile("Tiny Shapes"))
    page.get_by_role("button", name="Remove styles, ink").click()
    expect(saved).to_have_text([HOSTILE])
    saved.click()
    expect(page).to_have_url(re.compile(r"\?q=ink&kind=style$"))
