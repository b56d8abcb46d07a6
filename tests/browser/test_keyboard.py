"""The page by keyboard alone: where the focus goes, what each key does, and that no stop is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import places
from tests.browser.conftest import Watch
from tests.browser.held_events import all_held
from tests.browser.journey import SCREEN

pytestmark = pytest.mark.browser
BOX = "#search input, #search textarea"
CARD = "#grid .card .hit"
FOCUSED_CARD = "[...document.querySelectorAll('#grid .card .hit')].indexOf(document.activeElement)"
# What has the focus is on the screen, and on top there.
SEEN = """() => {
  const node = document.activeElement;
  const place = node.getBoundingClientRect();
  const top = document.elementFromPoint(place.left + place.width / 2, place.top + place.height / 2);
  const on_top = top && (node.contains(top) || top.contains(node) || node.labels && [...node.labels].includes(top));
  const seen = node.checkVisibility({opacityProperty: true, visibilityProperty: true}) && place.width > 1 && on_top;
  return seen ? '' : node.outerHTML.slice(0, 120);
}"""


def columns(page: Page) -> int:
    count: int = page.evaluate(
        "getComputedStyle(document.querySelector('.cards')).gridTemplateColumns.split(' ').length"
    )
    return count


def focused_card(page: Page) -> int:
    """-1 when it is none."""
    index: int = page.evaluate(FOCUSED_CARD)
    return index


def press(page: Page, key: str) -> int:
    """The card that has the focus then."""
    page.keyboard.press(key)
    return focused_card(page)


@pytest.fixture(scope="module")
def opened(browser: Browser, demo: str) -> Iterator[Page]:
    """The first page, opened once for those who leave it as it was."""
    watch, context = Watch(), browser.new_context(viewport=SCREEN)
    watch.over(context)
    page = context.new_page()
    places.browse(page, demo)
    yield page
    context.close()
    assert watch.faults == []


@pytest.fixture
def browse(opened: Page) -> Iterator[Page]:
    """It, at its beginning and without a focus. It is left with all LoRAs and no panel, and all that was typed has been
    looked up.
    """
    question = opened.locator("#grid .cards").get_attribute("data-question") or ""
    opened.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    yield opened
    expect(opened.locator(BOX)).to_have_value("")
    expect(opened.locator(".completions:not([data-text=''])")).to_have_count(0)
    expect(opened.locator("#grid .cards")).to_have_attribute("data-question", question)
    expect(opened.locator(".detail")).to_have_count(0)


def test_slash_goes_to_the_search_box_and_down_from_there_to_the_first_card(browse: Page) -> None:
    browse.keyboard.press("/")
    expect(browse.locator(BOX)).to_be_focused()
    browse.keyboard.type("a/b")
    expect(browse.locator(BOX)).to_have_value("a/b")
    expect(browse.locator(".completions")).to_have_attribute("data-text", "a/b")
    # Nothing is called so: the list of everything is back with an empty box.
    browse.locator(BOX).fill("")
    expect(browse.locator(CARD).first).to_be_visible()
    browse.keyboard.press("ArrowDown")
    expect(browse.locator(CARD).first).to_be_focused()


@pytest.mark.journeys
@pytest.mark.parametrize("before", ["hat", "nobody wrote this"])
def test_down_goes_to_the_first_card_of_a_list_that_is_still_to_come(browse: Page, before: str) -> None:
    """It has another first card than the one before, or that one had none."""
    shown = browse.locator(CARD).first.inner_text()
    browse.locator(BOX).fill(before)
    expect(browse.locator(".news")).to_contain_text("Press Enter")
    expect(browse.locator(CARD, has_text=shown)).to_have_count(0)
    with all_held(browse):
        browse.locator(BOX).fill("")
        browse.keyboard.press("ArrowDown")
        browse.wait_for_timeout(300)
    expect(browse.locator(CARD).first).to_have_text(shown)
    expect(browse.locator(CARD).first).to_be_focused()


@pytest.mark.journeys
def test_arrows_move_between_cards_as_they_lie_on_the_screen(browse: Page) -> None:
    wide = columns(browse)
    browse.locator(CARD).first.focus()
    moved = {key: press(browse, key) for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp")}
    assert moved == {"ArrowRight": 1, "ArrowDown": 1 + wide, "ArrowLeft": wide, "ArrowUp": 0}
    assert press(browse, "ArrowUp") == 0


@pytest.mark.journeys
def test_the_last_card_of_a_whole_list_is_the_end(browse: Page) -> None:
    shown = browse.locator(CARD).first.inner_text()
    browse.locator(BOX).fill("hat")
    expect(browse.locator(".news")).to_contain_text("Press Enter")
    expect(browse.locator(CARD, has_text=shown)).to_have_count(0)
    last = browse.locator(CARD).count() - 1
    browse.locator(CARD).first.focus()
    assert [press(browse, key) for key in ("End", "ArrowRight", "Home")] == [last, last, 0]
    browse.locator(BOX).fill("")
    expect(browse.locator(CARD).first).to_have_text(shown)


def test_enter_opens_the_panel_with_the_focus_in_it_and_escape_goes_back_to_the_card(browse: Page) -> None:
    browse.locator(CARD).nth(1).focus()
    browse.keyboard.press("Enter")
    expect(browse.locator(".detail")).to_be_focused()
    expect(browse.locator(".detail .state", has_text="Reading")).to_have_count(0)
    browse.keyboard.press("Tab")
    expect(browse.get_by_role("button", name="Close", exact=True)).to_be_focused()
    browse.keyboard.press("Escape")
    expect(browse.locator(".detail")).to_have_count(0)
    expect(browse.locator(CARD).nth(1)).to_be_focused()


@pytest.mark.journeys
def test_the_focus_enters_and_leaves_the_panel_by_mouse_too(browse: Page) -> None:
    browse.locator(CARD).nth(2).click()
    expect(browse.locator(".detail")).to_be_focused()
    browse.get_by_role("button", name="Close", exact=True).click()
    expect(browse.locator(CARD).nth(2)).to_be_focused()


@pytest.mark.journeys
def test_no_card_lies_under_the_panel(browse: Page) -> None:
    browse.locator(CARD).first.click()
    expect(browse.locator(".detail")).to_be_focused()
    browse.locator(CARD).first.focus()
    for _ in range(columns(browse) + 1):
        browse.keyboard.press("ArrowRight")
        assert browse.evaluate(SEEN) == ""
    assert focused_card(browse) == columns(browse) + 1
    expect(browse.locator(".detail")).to_be_visible()
    browse.keyboard.press("Escape")


def test_skip_links_lead_past_the_header_and_past_the_filters(demo: str, page: Page) -> None:
    places.browse(page, demo)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the LoRAs")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(CARD).first).to_be_focused()
    page.locator(BOX).focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip the filters")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(CARD).first).to_be_focused()


@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=pytest.mark.journeys)])
def test_every_stop_of_the_tab_key_can_be_seen(demo: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    places.browse(page, demo)
    hidden = []
    for _ in range(45):
        page.keyboard.press("Tab")
        hidden.append(page.evaluate(SEEN))
    assert [found for found in hidden if found] == []


@pytest.mark.journeys
def test_the_focus_ring_of_a_card_goes_around_its_picture(browse: Page) -> None:
    browse.locator(BOX).focus()
    browse.keyboard.press("ArrowDown")
    ring = "(hit) => [getComputedStyle(hit, '::after').outlineStyle, parseInt(getComputedStyle(hit, '::after').height)]"
    height = browse.locator(".card").first.evaluate("(card) => Math.floor(card.getBoundingClientRect().height - 2)")
    assert browse.locator(CARD).first.evaluate(ring) == ["solid", height]


@pytest.mark.journeys
def test_a_filter_keeps_the_focus_when_the_filters_are_painted_anew(demo: str, page: Page) -> None:
    places.browse(page, demo)
    page.get_by_role("checkbox", name=re.compile("^Tool")).focus()
    page.keyboard.press("Space")
    expect(page.locator(".sentence")).to_contain_text("tools")
    expect(page.locator(".card.ghost")).to_have_count(0)
    expect(page.get_by_role("checkbox", name=re.compile("^Tool"))).to_be_focused()


@pytest.mark.journeys
def test_arrows_move_between_the_kinds_of_comparison(demo: str, page: Page) -> None:
    places.try_empty(page, demo)
    page.get_by_role("tab", name="Without / with").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Weights")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Grid")).to_be_focused()


@pytest.mark.journeys
def test_a_card_opens_in_a_new_tab_and_leaves_this_page_as_it_is(demo: str, page: Page) -> None:
    places.browse(page, demo)
    title = page.locator(CARD).first.inner_text()
    with page.context.expect_page() as opened:
        page.locator(CARD).first.click(modifiers=["ControlOrMeta"])
    expect(opened.value.locator(".detail h2")).to_have_text(title)
    with page.context.expect_page() as opened:
        page.locator(CARD).first.click(button="middle")
    expect(opened.value.locator(".detail h2")).to_have_text(title)
    expect(page.locator(".detail")).to_have_count(0)


@pytest.mark.journeys
def test_on_a_phone_nothing_under_the_open_panel_can_be_reached(demo: str, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    places.panel(page, demo)
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('#grid, #header, #facets')") is None
    page.keyboard.press("Escape")
    expect(page.locator(CARD).first).to_be_focused()


@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=pytest.mark.journeys)])
def test_escape_closes_the_drawer_and_goes_back_to_its_button(demo: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    places.drawer(page, demo)
    expect(page.get_by_role("button", name="Close downloads")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_be_hidden()
    expect(page.locator("#downloads button")).to_be_focused()


@pytest.mark.journeys
def test_escape_closes_what_lies_on_top_first(demo: str, page: Page) -> None:
    places.panel(page, demo)
    page.locator("#downloads button").click()
    expect(page.locator(".drawer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_be_hidden()
    expect(page.locator(".detail")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".detail")).to_have_count(0)
