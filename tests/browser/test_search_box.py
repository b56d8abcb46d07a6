"""The search box: what is typed is looked up at once, suggestions are taken, and each part of the query has a chip."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe, places
from tests.browser.held_events import all_held, first_held

pytestmark = pytest.mark.browser


@pytest.fixture
def box(demo: str, page: Page) -> Locator:
    places.browse(page, demo)
    box = page.get_by_role("combobox", name="Search", exact=True)
    box.click()
    return box


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def test_what_is_typed_is_looked_up_without_asking_a_hub(box: Locator, page: Page) -> None:
    address = page.url
    box.press_sequentially("outline")
    expect(page.locator(".sentence")).to_contain_text("that mention outline")
    expect(page.locator(".news")).to_have_text("Seen so far. Press Enter to ask the hubs too.")
    expect(page.locator(".sentence b")).to_have_text(str(page.locator(".card").count()))
    assert page.url == address
    box.press("Enter")
    expect(page).to_have_url(re.compile("q=outline"))
    expect(page.locator(".news")).to_have_text("")


@pytest.mark.journeys
def test_what_is_typed_stays_when_an_earlier_click_is_answered(box: Locator, page: Page) -> None:
    page.locator(".card .hit").first.click()
    expect(page).to_have_url(re.compile("open="))
    with all_held(page):
        page.get_by_role("button", name="Close", exact=True).click()
        box.fill("outline")
    expect(page).not_to_have_url(re.compile("open="))
    expect(page.locator(".sentence")).to_contain_text("that mention outline")
    expect(box).to_have_value("outline")


@pytest.mark.journeys
def test_enter_asks_the_hubs_for_a_text_that_was_typed_over_and_back(box: Locator, page: Page) -> None:
    box.press_sequentially("outline")
    box.press("Enter")
    expect(page).to_have_url(re.compile("q=outline"))
    box.press_sequentially("s")
    expect(page.locator(".sentence")).to_contain_text("that mentions outlines")
    box.press("Backspace")
    expect(page.locator(".news")).to_have_text("Seen so far. Press Enter to ask the hubs too.")
    box.press("Enter")
    expect(page.locator(".news")).to_have_text("")


@pytest.mark.journeys
def test_a_card_of_the_list_that_came_while_typing_opens_beside_that_list(box: Locator, page: Page) -> None:
    box.press_sequentially("outline")
    expect(page.locator(".sentence")).to_contain_text("that mention outline")
    number = page.locator(".sentence b").inner_text()
    page.locator(".card .hit").first.click()
    expect(page.locator(".detail .actions")).to_be_visible()
    expect(page).to_have_url(re.compile("q=outline.*open="))
    expect(page.locator(".sentence b")).to_have_text(number)
    expect(box).to_have_value("outline")


@pytest.mark.journeys
def test_what_was_typed_before_enter_is_looked_up_no_more(box: Locator, page: Page) -> None:
    number = page.locator(".sentence b").inner_text()
    with first_held(page, '"act":"typed"'):
        with page.expect_request(lambda request: '"act":"typed"' in (request.post_data or "")):
            box.fill("civitai:122431")
        box.press("Enter")
        expect(page.locator(".detail .actions")).to_be_visible()
        expect(box).to_have_value("")
    page.wait_for_timeout(1500)
    expect(page.locator(".news")).to_have_text("")
    expect(page.locator(".sentence b")).to_have_text(number)


@pytest.mark.journeys
def test_an_answer_that_is_overtaken_leaves_the_suggestions_of_the_next_text(box: Locator, page: Page) -> None:
    with first_held(page, '"act":"typed"'):
        with page.expect_request(lambda request: '"act":"typed"' in (request.post_data or "")):
            box.press_sequentially("ba")
        box.fill("kin")
        # After a while, it is sent without the answer to the one before.
        expect(options(page)).to_have_text(["kind: What it is made for"])
    page.wait_for_timeout(1500)
    expect(options(page)).to_have_text(["kind: What it is made for"])


def test_by_keyboard_a_key_and_then_its_value_are_taken(box: Locator, page: Page) -> None:
    box.press_sequentially("kin")
    expect(options(page)).to_have_text(["kind: What it is made for"])
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "completion-0")
    box.press("Enter")
    expect(box).to_have_value("kind:")
    expect(options(page)).to_have_count(6)
    box.press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")
    box.press("ArrowUp")
    box.press("ArrowUp")
    box.press("ArrowUp")
    box.press("ArrowUp")
    box.press("Tab")
    expect(box).to_have_value("kind:style ")
    expect(box).to_be_focused()
    box.press("Enter")
    expect(page.get_by_role("button", name="Remove styles")).to_be_visible()
    expect(box).to_have_value("")
    expect(page).to_have_url(re.compile("kind=style"))


@pytest.mark.journeys
def test_by_mouse_a_suggestion_is_taken_and_the_box_keeps_the_focus(box: Locator, page: Page) -> None:
    box.press_sequentially("outline hub:")
    options(page).filter(has_text="huggingface").click()
    expect(box).to_have_value("outline hub:huggingface ")
    expect(box).to_be_focused()
    expect(page.get_by_role("button", name="Remove Hugging Face")).to_be_visible()


@pytest.mark.journeys
def test_escape_puts_the_suggestions_away_and_nothing_else(box: Locator, page: Page) -> None:
    box.press_sequentially("kin")
    expect(options(page)).to_have_count(1)
    box.press("Escape")
    expect(page.locator("#completion")).to_be_hidden()
    expect(box).to_have_value("kin")
    expect(box).to_have_attribute("aria-expanded", "false")


def test_a_filter_that_is_wrong_says_so_below_the_box_and_the_list_goes_without_it(box: Locator, page: Page) -> None:
    box.press_sequentially("rank:high")
    expect(page.locator("#completion .problem")).to_contain_text("“high” is no range for rank.")
    box.press("Enter")
    expect(page.get_by_test_id("toast-body")).to_contain_text("“high” is no range for rank.")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.journeys)])
def test_axe_finds_nothing_serious_while_suggestions_are_open(box: Locator, page: Page, theme: str) -> None:
    page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", theme == "dark")
    box.press_sequentially("kind:")
    expect(options(page)).to_have_count(6)
    box.press("ArrowDown")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    assert axe.violations(page) == []


def test_each_part_of_the_query_has_a_chip_that_takes_it_away(demo: str, page: Page) -> None:
    page.goto(demo + "?q=outline+-anime+rank%3A%3E%3D2&kind=style")
    chips = page.locator(".sentence .part")
    expect(chips).to_have_text(["styles ✕", "outline ✕", "not anime ✕", "rank at least 2 ✕"])
    places.come_to_rest(page)
    for left in (3, 2, 1, 0):
        chips.last.click()
        expect(chips).to_have_count(left)
    expect(page.locator("#search input")).to_have_value("")


@pytest.mark.journeys
def test_a_bar_of_the_histogram_sets_a_range_and_takes_it_away_again(demo: str, page: Page) -> None:
    places.browse(page, demo)
    bar = page.get_by_role("button", name=re.compile("^8, rank 5 to 8: "))
    bar.click()
    expect(page.get_by_role("button", name="Remove rank 5 to 8")).to_be_visible()
    expect(bar).to_have_attribute("aria-pressed", "true")
    # Headers that are read meanwhile bring more of them, to the bar and to the list at once.
    page.wait_for_function("""() => {
      const number = document.querySelector('.sentence b').textContent;
      return /^\\d+$/.test(number) && document.querySelector('.bar.on').title.includes(`: ${number} LoRA`);
    }""")
    bar.click()
    expect(page.locator(".sentence .part")).to_have_count(0)
