"""A list of three thousand LoRAs in a real browser: scrolled far, it stays light, in order and in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from connectors.query import Query
from connectors.record import Lora
from tests.benchmarks.made_up_loras import made_up_loras
from tests.browser.demo import Demo, whole_demo
from tests.browser.held_events import first_held
from tests.browser.layout import COUNT_SHIFTS, forget_shifts, shifts

pytestmark = pytest.mark.browser
LORAS = 3_000
SCROLLED = 2_000
MOST_CARDS = 400
MOST_BYTES = 300_000_000
CARD = "#grid .card .hit"
NUMBER = "document.querySelectorAll('.card').length"
LOADED = "Number(document.querySelector('.cards').dataset.loaded)"
FOCUSED = "Number(document.activeElement.closest('.card')?.dataset.at ?? -1)"
# The cards that can be seen, each with its place in the list and on the screen.
SEEN = """() => [...document.querySelectorAll('.card')].map((card) => [card, card.getBoundingClientRect()])
  .filter(([, box]) => box.bottom > 60 && box.top < innerHeight)
  .map(([card, box]) => [Number(card.dataset.at), Math.round(box.left), Math.round(box.top)])"""

# There may be the gap between two rows at the end of the screen.
REACHES_DOWN = """() => [...document.querySelectorAll('.card')].map((card) => card.getBoundingClientRect())
  .some((box) => box.top < innerHeight && box.bottom > innerHeight - 30)"""


def without_images(lora: Lora) -> Lora:
    """They would be asked of a hub that is not there."""
    return replace(lora, versions=tuple(replace(version, examples=()) for version in lora.versions))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("endless")) as running:
        running.services.catalog.add(map(without_images, made_up_loras(LORAS)))
        # The index is built by the first search.
        running.services.catalog.search(Query())
        yield running


@pytest.fixture
def listed(demo: Demo, page: Page) -> Page:
    page.add_init_script(COUNT_SHIFTS)
    page.goto(demo.url + "?sort=downloads")
    expect(page.locator(".hub.good")).to_have_count(3)
    expect(page.locator(".card")).to_have_count(60)
    page.mouse.move(700, 600)
    return page


def scroll(page: Page, loaded: int) -> int:
    """By the wheel until so many cards were loaded; returns the most that the page ever had at once."""
    most = 0
    while page.evaluate(LOADED) < loaded:
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(60)
        most = max(most, page.evaluate(NUMBER))
    return most


def settled(page: Page) -> None:
    """The screen is full of cards, down to its end."""
    page.wait_for_function(f"({SEEN})().length >= 12 && ({REACHES_DOWN})()")


def memory(page: Page) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


@pytest.mark.journeys
def test_two_thousand_cards_are_scrolled_through_and_the_page_stays_light(listed: Page) -> None:
    forget_shifts(listed)
    most = scroll(listed, SCROLLED)
    listed.wait_for_timeout(1000)
    settled(listed)
    moved, found = shifts(listed), memory(listed)
    heap, nodes = found["JSHeapTotalSize"], found["Nodes"]
    print(f"\n{most} cards at once, heap {heap / 1e6:.0f} MB, {nodes:.0f} nodes, layout shift {moved.total:.3f}")
    assert most < MOST_CARDS
    assert heap < MOST_BYTES
    assert moved.total < 0.1, moved.lines


@pytest.mark.journeys
def test_cards_that_do_not_come_are_asked_for_again(listed: Page) -> None:
    with first_held(listed, '"act":"more"'):
        listed.mouse.wheel(0, 20_000)
        listed.wait_for_function(f"{LOADED} > 60")


def test_cards_stand_in_the_order_of_the_list_and_keep_their_places_when_others_come_and_go(listed: Page) -> None:
    scroll(listed, 300)
    settled(listed)
    before = listed.evaluate(SEEN)
    places = [at for at, _, _ in before]
    assert places == [*range(places[0], places[0] + len(places))]
    height = listed.evaluate("scrollY")
    listed.mouse.wheel(0, -height)
    listed.wait_for_function("scrollY === 0")
    settled(listed)
    assert listed.evaluate(SEEN)[0][0] == 0
    listed.mouse.wheel(0, height)
    listed.wait_for_function(f"scrollY === {height}")
    listed.wait_for_function(f"JSON.stringify(({SEEN})()) === JSON.stringify({before})")


@pytest.mark.journeys
def test_by_keyboard_the_list_goes_on_past_what_the_page_has(listed: Page) -> None:
    listed.locator(CARD).first.focus()
    for _ in range(4):
        # More may have come by itself since, and the end is then further down.
        last = listed.evaluate(LOADED) - 1
        listed.keyboard.press("End")
        listed.wait_for_function(f"{FOCUSED} >= {last} && {LOADED} > {FOCUSED} + 1")
    last = listed.evaluate(FOCUSED)
    assert last >= 239
    listed.keyboard.press("ArrowRight")
    listed.wait_for_function(f"{FOCUSED} === {last + 1}")
    listed.keyboard.press("Home")
    listed.wait_for_function(f"{FOCUSED} === 0")
    listed.keyboard.press("ArrowDown")
    listed.wait_for_function(f"{FOCUSED} === 6")


@pytest.mark.journeys
def test_a_card_keeps_the_focus_though_it_is_far_from_the_screen(listed: Page) -> None:
    listed.locator(CARD).nth(3).focus()
    scroll(listed, 420)
    settled(listed)
    assert listed.evaluate(FOCUSED) == 3
    expect(listed.locator(".card.alone")).to_have_count(1)
    listed.keyboard.press("Tab")
    listed.wait_for_function(f"{FOCUSED} === 4")
    expect(listed.locator(".card.alone")).to_have_count(0)
    assert listed.evaluate("scrollY") < 1000


@pytest.mark.journeys
def test_a_lora_that_was_opened_far_down_is_left_in_the_same_place(listed: Page) -> None:
    scroll(listed, 300)
    settled(listed)
    before = listed.evaluate(SEEN)
    place = before[len(before) // 2][0]
    listed.locator(f'.card[data-at="{place}"] .hit').click()
    expect(listed.locator(".detail")).to_be_focused()
    # The address has its own way to the page, and without it, back would lead away.
    expect(listed).to_have_url(re.compile("open="))
    listed.go_back()
    expect(listed.locator(".detail")).to_have_count(0)
    listed.wait_for_function(f"({SEEN})().some(([at]) => at === {place})")
    assert listed.evaluate(LOADED) >= 300


@pytest.mark.journeys
def test_the_end_of_a_list_says_so(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?q=creator:creator5")
    expect(page.locator(".hub.good")).to_have_count(3)
    while page.locator("#more [data-auto]").count():
        page.keyboard.press("End")
        page.wait_for_timeout(200)
    expect(page.locator(".more")).to_have_text("The end of the list.")
