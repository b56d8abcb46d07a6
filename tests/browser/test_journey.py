"""The whole line in a real browser by clicks and keys alone; journey.py says what each stop is held to."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import places
from tests.browser.journey import PHONE, SCREEN, stop

pytestmark = pytest.mark.browser
BOX = "#search input, #search textarea"
# What belongs further up waits behind a line until it is pressed. One that is pressed again before it has its answer
# begins anew.
SORTED_BY_DOWNLOADS = """() => {
  const line = document.querySelector('.news [data-act=relist]');
  if (line && performance.now() - (window.pressedAt ?? -Infinity) > 5000) {
    window.pressedAt = performance.now();
    line.click();
  }
  const numbers = [...document.querySelectorAll('.card .figures .push')].map((each) => {
    const [, number, unit] = each.textContent.match(/([\\d.]+)([kM]?)/) || [null, '-1', ''];
    return Number(number) * ({k: 1e3, M: 1e6}[unit] || 1);
  });
  return numbers.length > 1 && numbers.every((number, index) => !index || number <= numbers[index - 1]);
}"""


def search(page: Page, text: str) -> None:
    page.locator(BOX).fill(text)
    page.locator(BOX).press("Enter")


def arrive(page: Page) -> None:
    # What is found while somebody types is no answer to Enter.
    expect(page.locator(".news", has_text="Press Enter")).to_have_count(0)
    expect(page.locator(".hub.good")).to_have_count(3)
    expect(page.locator(".card.ghost")).to_have_count(0)


def expect_pair(page: Page) -> None:
    expect(page.locator(".pair img.over")).to_be_visible(timeout=places.MAKING)
    expect(page.locator(".proof")).to_contain_text("tensors applied")


def test_from_an_empty_search_to_the_finished_pair(demo: str, journey: Page) -> None:
    journey.goto(demo)
    arrive(journey)
    stop(journey)
    journey.get_by_role("checkbox", name=re.compile("Tiny Shapes")).first.click()
    expect(journey.locator(".sentence")).to_contain_text("for Tiny Shapes")
    journey.locator(".card .hit").first.click()
    stop(journey)
    journey.get_by_role("button", name="Download & try").click()
    expect_pair(journey)
    expect(journey).to_have_url(re.compile(r"view=try.*lora="))
    sources = [journey.locator(f".pair img.{name}").get_attribute("src") for name in ("over", "under")]
    assert sources[0] != sources[1]


def test_filters_an_order_and_a_typed_token_narrow_one_list(demo: str, journey: Page) -> None:
    journey.goto(demo)
    arrive(journey)
    search(journey, "rank:>=4")
    expect(journey.locator(".sentence .part")).to_have_count(1)
    arrive(journey)
    journey.get_by_role("group", name="Kind").get_by_role("checkbox", name="Style").click()
    expect(journey.locator(".sentence .part")).to_have_count(2)
    stop(journey)
    before = journey.locator("#grid .cards").get_attribute("data-question") or ""
    journey.get_by_label("Sort").click()
    journey.get_by_role("option", name="Most downloaded").click()
    expect(journey).to_have_url(re.compile("sort=downloads"))
    # The line of the list before would bring that one back.
    expect(journey.locator("#grid .cards")).not_to_have_attribute("data-question", before)
    arrive(journey)
    journey.wait_for_function(SORTED_BY_DOWNLOADS, polling=500, timeout=places.WAIT)
    journey.get_by_role("button", name=re.compile("Remove .*style")).click()
    expect(journey.locator(".sentence .part")).to_have_count(1)


@pytest.mark.journeys
def test_a_pasted_address_opens_its_lora(demo: str, journey: Page) -> None:
    journey.goto(demo)
    arrive(journey)
    search(journey, "https://civitai.com/models/122431/detail-dial?modelVersionId=1224311")
    expect(journey.locator(".detail h2")).to_contain_text("Detail Dial")
    expect(journey.locator(".detail .state", has_text="Reading")).to_have_count(0)


def test_a_strip_of_weights_and_the_weight_that_is_chosen_from_it(demo: str, journey: Page) -> None:
    journey.goto(f"{demo}?base=tiny-shapes&kind=character")
    arrive(journey)
    journey.locator(".card .hit").first.click()
    journey.get_by_role("button", name="Download & try").click()
    expect_pair(journey)
    journey.get_by_role("tab", name="Weights").click()
    expect(journey.get_by_role("tab", name="Weights")).to_have_attribute("aria-selected", "true")
    stop(journey)
    journey.locator("#make").click()
    expect(journey.locator(".tiles button")).to_have_count(5, timeout=places.MAKING)
    expect(journey.locator("#stop")).to_be_hidden()
    stop(journey)
    journey.locator(".tiles button").nth(2).click()
    expect(journey.locator(".tiles button").nth(2)).to_have_attribute("aria-current", "true")


@pytest.mark.journeys
def test_two_loras_in_a_stack_make_one_pair(demo: str, journey: Page) -> None:
    journey.goto(f"{demo}?base=tiny-shapes")
    arrive(journey)
    for place in (0, 1):
        journey.locator(".card .hit").nth(place).click()
        journey.locator(".detail").get_by_role("button", name="+ Stack").click()
        expect(journey.locator(".detail [data-act=stack]")).to_be_visible()
        journey.locator(".detail .close").click()
        expect(journey.locator(".detail")).to_have_count(0)
    stop(journey)
    journey.get_by_role("link", name="Try").click()
    expect(journey.locator(".layer")).to_have_count(2)
    journey.locator("#make").click()
    expect_pair(journey)


def test_a_shared_link_opens_the_same_search_and_lora_for_somebody_else(
    demo: str, journey: Page, browser: Browser
) -> None:
    journey.goto(demo + "?kind=style&hub=huggingface")
    journey.locator(".card .hit").first.click()
    expect(journey).to_have_url(re.compile("open=huggingface"))
    title = journey.locator(".detail h2").inner_text()
    stranger = browser.new_context(viewport=SCREEN).new_page()
    stranger.goto(journey.url)
    expect(stranger.locator(".detail h2")).to_have_text(title)
    expect(stranger.locator(".sentence")).to_contain_text("styles")
    stranger.context.close()


def test_a_word_that_nothing_has_is_taken_back_with_one_click(demo: str, journey: Page) -> None:
    journey.goto(demo)
    arrive(journey)
    search(journey, "zzzznothing")
    expect(journey.locator(".note")).to_contain_text("Nothing matches")
    stop(journey)
    journey.get_by_role("button", name="Remove zzzznothing").click()
    expect(journey.locator(".card .hit").first).to_be_visible()


@pytest.mark.journeys
def test_going_back_closes_what_was_opened(demo: str, journey: Page) -> None:
    journey.goto(demo)
    journey.locator(".card .hit").first.click()
    expect(journey).to_have_url(re.compile("open="))
    journey.go_back()
    expect(journey.locator(".card .hit").first).to_be_visible()
    expect(journey.locator(".detail")).to_have_count(0)


def test_what_was_pulled_is_in_the_library(demo: str, journey: Page) -> None:
    journey.goto(demo + "?base=tiny-shapes&hub=civitai")
    journey.locator(".card .hit").first.click()
    title = journey.locator(".detail h2").inner_text()
    pull = journey.locator(".detail .actions button", has_text=re.compile("Pull|In library"))
    if pull.is_enabled():
        pull.click()
    expect(journey.locator(".detail .actions")).to_contain_text("In library")
    journey.get_by_role("link", name="Library").click()
    expect(journey.locator("#page-library")).to_contain_text(title)


def test_by_keyboard_alone_from_search_to_a_pair(demo: str, journey: Page) -> None:
    journey.goto(demo)
    arrive(journey)
    journey.keyboard.press("/")
    journey.keyboard.type("base:tiny-shapes kind:character")
    journey.keyboard.press("Enter")
    expect(journey.locator(".sentence .part")).to_have_count(2)
    arrive(journey)
    journey.keyboard.press("ArrowDown")
    expect(journey.locator(".card .hit").first).to_be_focused()
    journey.keyboard.press("Enter")
    expect(journey.locator(".detail")).to_be_focused()
    expect(journey.locator(".detail .facts")).to_contain_text("the file itself")
    press_until(journey, "Tab", "Download & try")
    journey.keyboard.press("Enter")
    expect_pair(journey)


def press_until(page: Page, key: str, name: str) -> None:
    """Presses a key until what has the focus is named so."""
    focused = "(name) => (document.activeElement.innerText || '').trim() === name"
    for _ in range(20):
        page.keyboard.press(key)
        if page.evaluate(focused, name):
            return
    pytest.fail(f"the focus never comes to “{name}”")


@pytest.mark.parametrize("journey", [PHONE], indirect=True, ids=["390"])
def test_on_a_phone_from_search_to_a_pair(demo: str, journey: Page) -> None:
    journey.goto(demo)
    arrive(journey)
    stop(journey)
    search(journey, "base:tiny-shapes")
    expect(journey.locator(".sentence .part")).to_have_count(1)
    arrive(journey)
    journey.locator(".card .hit").first.click()
    expect(journey.locator(".detail .actions")).to_be_in_viewport()
    stop(journey)
    journey.get_by_role("button", name="Download & try").click()
    expect_pair(journey)
    expect(journey.locator(".pair")).to_be_in_viewport()
