"""Cards are ticked for a comparison in a real browser: over several searches, and without JavaScript."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe

pytestmark = pytest.mark.browser


def tick(page: Page, title: str) -> None:
    card = page.locator(".card", has=page.get_by_role("link", name=title, exact=True))
    card.hover()
    card.get_by_role("checkbox").check()


def test_what_is_ticked_in_several_searches_is_compared(demo: str, page: Page) -> None:
    page.goto(f"{demo}?q=robot")
    tick(page, "SKS Robot")
    expect(page.locator("#ticked")).to_contain_text("One LoRA: tick another one")
    page.locator("#q").fill("snowfall")
    page.locator("#q").press("Enter")
    tick(page, "Snowfall")
    expect(page.locator("#ticked")).to_contain_text("2 LoRAs, one base")
    assert axe.violations(page) == []
    page.locator("#q").fill("robot")
    expect(page.get_by_role("checkbox", name="Compare SKS Robot")).to_be_checked()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile("view=try.*sheet=loras"))
    expect(page.locator("#stack .layer")).to_have_count(2)


def test_the_tray_goes_when_nothing_is_ticked(demo: str, page: Page) -> None:
    page.goto(f"{demo}?q=robot")
    tick(page, "SKS Robot")
    page.get_by_role("button", name="Untick all").click()
    expect(page.locator("#tray")).to_be_hidden()
    expect(page.get_by_role("checkbox", name="Compare SKS Robot")).not_to_be_checked()


def test_without_javascript_the_ticked_cards_of_a_page_are_compared(demo: str, browser: Browser) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{demo}?q=robot&ask=1")
    tick(page, "SKS Robot")
    tick(page, "sks-robot")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#stack .layer")).to_have_count(2)
    page.close()
