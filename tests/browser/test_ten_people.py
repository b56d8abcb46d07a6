"""Ten people use one server at once: each sees what is their own, and nobody's search waits for another's images."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import places
from tests.browser.conftest import Watch
from tests.browser.journey import SCREEN

pytestmark = [pytest.mark.browser, pytest.mark.journeys]
BOX = "#search input, #search textarea"
# Of the demo's own LoRAs: one for each person.
WORDS = ("robot", "hat", "neon", "outline", "zog", "snowfall", "slider", "left", "sks", "night")
STEPS = 500


@pytest.fixture(scope="module")
def people(browser: Browser, demo: str) -> Iterator[list[Page]]:
    """Ten fresh profiles on the first page. All of them load it at once."""
    watch = Watch()
    contexts = [browser.new_context(viewport=SCREEN, reduced_motion="reduce") for _ in WORDS]
    for context in contexts:
        watch.over(context)
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.goto(demo, wait_until="commit")
    for page in pages:
        arrive(page)
    yield pages
    for context in contexts:
        context.close()
    assert watch.faults == []


def arrive(page: Page) -> None:
    expect(page.locator(".hub.good")).to_have_count(3, timeout=places.WAIT)
    expect(page.locator(".card.ghost")).to_have_count(0, timeout=places.WAIT)


def search(page: Page, word: str) -> None:
    page.locator(BOX).fill(f"base:tiny-shapes {word}")
    page.locator(BOX).press("Enter")


def test_nine_searches_are_answered_while_the_tenth_persons_images_are_made(people: list[Page]) -> None:
    maker, *searchers = people
    search(maker, WORDS[0])
    expect(maker.locator(".sentence .part")).to_have_count(2, timeout=places.WAIT)
    maker.locator(".card .hit").first.click()
    maker.get_by_role("button", name="Download & try").click()
    expect(maker.locator(".proof")).to_contain_text("tensors applied", timeout=places.MAKING)
    maker.get_by_role("spinbutton", name="Steps").fill(str(STEPS))
    maker.get_by_role("spinbutton", name="Seed").fill("5")
    # Sixteen times the work, which outlasts nine searches on every machine.
    maker.locator("#numbers").get_by_label("Size", exact=True).fill("256 x 256")
    maker.locator("#make").click()
    expect(maker.locator(".progress .left")).to_be_visible(timeout=places.WAIT)
    for page, word in zip(searchers, WORDS[1:], strict=True):
        search(page, word)
    for page, word in zip(searchers, WORDS[1:], strict=True):
        expect(page.locator(".sentence .part").last).to_have_text(re.compile(word), timeout=places.WAIT)
        expect(page.locator(".card .title", has_text=re.compile(word, re.IGNORECASE)).first).to_be_visible()
    expect(maker.locator(".progress .left")).to_be_visible()
    maker.get_by_role("button", name="Stop").click()
    expect(maker.locator("#progress")).to_contain_text("Stopped", timeout=places.WAIT)


def test_each_sees_their_own_search_and_their_own_stack(people: list[Page]) -> None:
    for page in people[1:]:
        page.locator(".card .hit").first.click()
    titles = []
    for page in people[1:]:
        page.locator(".detail [data-act=stack]").click(timeout=places.WAIT)
        titles.append(page.locator(".detail h2").inner_text())
    assert len(set(titles)) > 5
    for page, title in zip(people[1:], titles, strict=True):
        page.get_by_role("link", name="Try").click()
        expect(page.locator(".layer b")).to_have_text([title], timeout=places.WAIT)
    for page, word in zip(people[1:], WORDS[1:], strict=True):
        page.get_by_role("link", name="Browse").click()
        expect(page.locator(".sentence .part").last).to_have_text(re.compile(word))
