"""The whole line in a real browser by clicks and keys alone; journey.py says what each stop is held to."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import places
from tests.browser.journey import PHONE, stop
from tests.browser.places import come_to_rest

pytestmark = pytest.mark.browser


def search(page: Page, text: str) -> None:
    page.locator("#q").fill(text)
    page.locator("#q").press("Enter")


def expect_pair(page: Page) -> None:
    expect(page.locator(".pair img.over")).to_be_visible(timeout=places.MAKING)
    expect(page.locator(".proof")).to_contain_text("tensors applied")
    sources = [page.locator(f".pair img.{name}").get_attribute("src") for name in ("over", "under")]
    assert sources[0] != sources[1]


def test_from_an_empty_search_to_the_finished_pair(demo: str, journey: Page) -> None:
    places.browse(journey, demo)
    stop(journey)
    journey.get_by_role("checkbox", name=re.compile("Tiny Shapes")).click()
    expect(journey.locator("#line")).to_contain_text("for Tiny Shapes")
    come_to_rest(journey)
    journey.locator(".card .hit").first.click()
    stop(journey)
    journey.locator("#panel .actions .filled").click()
    expect(journey).to_have_url(re.compile(r"/try\?.*lora="))
    stop(journey)
    journey.get_by_role("button", name="Make the pair").click()
    expect_pair(journey)


def test_by_keyboard_alone_from_search_to_a_pair(demo: str, journey: Page) -> None:
    places.browse(journey, demo)
    journey.keyboard.press("/")
    journey.keyboard.type("base:tiny-shapes kind:character")
    journey.keyboard.press("Enter")
    expect(journey.locator("#line .part")).to_have_count(2)
    come_to_rest(journey)
    journey.keyboard.press("ArrowDown")
    expect(journey.locator(".card .hit").first).to_be_focused()
    journey.keyboard.press("ArrowRight")
    expect(journey.locator(".card .hit").nth(1)).to_be_focused()
    journey.keyboard.press("ArrowLeft")
    journey.keyboard.press("Enter")
    expect(journey.locator("#panel")).to_be_focused()
    expect(journey.locator("#panel .actions")).to_be_visible()
    press_until(journey, "Tab", "Try it")
    journey.keyboard.press("Enter")
    expect(journey.locator(".layer")).to_be_visible()
    come_to_rest(journey)
    press_until(journey, "Tab", "Make the pair")
    journey.keyboard.press("Enter")
    # The test does not look for "Stop", because a quick computer finishes the pair first.
    expect_pair(journey)
    expect(journey.get_by_role("button", name="Make the pair")).to_be_focused()


def press_until(page: Page, key: str, name: str) -> None:
    """Presses a key until what has the focus is named so."""
    focused = "(name) => (document.activeElement.innerText || '').trim() === name"
    for _ in range(60):
        page.keyboard.press(key)
        if page.evaluate(focused, name):
            return
    pytest.fail(f"the focus never comes to “{name}”")


@pytest.mark.parametrize("journey", [PHONE], indirect=True, ids=["390"])
def test_on_a_phone_from_search_to_a_pair(demo: str, journey: Page) -> None:
    places.browse(journey, demo)
    stop(journey)
    search(journey, "base:tiny-shapes")
    expect(journey.locator("#line .part")).to_have_count(1)
    come_to_rest(journey)
    journey.locator(".card .hit").first.click()
    expect(journey.locator("#panel .actions")).to_be_in_viewport()
    stop(journey)
    journey.locator("#panel .actions .filled").click()
    expect(journey.get_by_role("button", name="Make the pair")).to_be_in_viewport()
    journey.get_by_role("button", name="Make the pair").click()
    expect_pair(journey)
    expect(journey.locator(".pair")).to_be_in_viewport()
