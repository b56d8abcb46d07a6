"""What only a browser can tell of Browse and the panel: focus, history, scrolling, ticks, and acts that overtake."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import axe, places
from tests.browser.races import ROOMS, late_demo, played
from tests.faults import Fault
from tests.hub_ui.web.raw import Visitor
from tests.tools.benchmarks.made_up_loras import made_up_loras

pytestmark = pytest.mark.browser
MANY = 2_000
# To where nothing more comes.
SCROLL = """async () => {
  for (let still = 0, height = 0; still < 60; height = document.body.scrollHeight) {
    scrollBy(0, 900);
    await new Promise(requestAnimationFrame);
    still = document.body.scrollHeight === height ? still + 1 : 0;
    if (document.querySelector('.more')) {
      await new Promise((go) => setTimeout(go, 20));
      still = 0;
    }
  }
}"""


@pytest.fixture
def browse(demo: str, page: Page) -> Page:
    """The list of the demo, with every hub's answer."""
    page.goto(demo)
    expect(page.locator("#hubs .dot.good")).to_have_count(3)
    expect(page.locator(".ask")).not_to_have_class(re.compile("htmx-request"))
    return page


def title(page: Page) -> str:
    return page.locator("#panel h2").inner_text()


def test_a_page_that_gets_no_answer_says_so_until_the_next_act(demo: str, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(demo)
    style, toast = page.locator("#filters").get_by_text("Style", exact=True), page.locator("#toast")
    page.context.set_offline(True)
    style.click()
    expect(toast).to_have_text(
        "The page gets no answer. Check the connection, or whether hub-ui still runs, and try again."
    )
    page.context.set_offline(False)
    style.click()
    expect(toast).to_be_empty()
    expect(page.locator("#line")).to_contain_text("style")


def test_enter_opens_the_panel_and_escape_goes_back_to_the_card_without_asking_anybody(browse: Page) -> None:
    card = browse.locator("#cards .hit").nth(3)
    card.focus()
    browse.keyboard.press("Enter")
    expect(browse.locator("#panel .actions")).to_be_visible()
    expect(browse.locator("#panel")).to_be_focused()
    assert title(browse) == card.inner_text()
    expect(browse.locator("#panel [id^=read-]")).not_to_have_class(re.compile("htmx-request"))
    asked: list[str] = []
    browse.on("request", lambda request: asked.append(request.url))
    browse.keyboard.press("Escape")
    expect(browse.locator("#panel")).to_be_hidden()
    expect(card).to_be_focused()
    assert (asked, "open=" in browse.url) == ([], False)


def test_the_cards_own_picture_and_title_are_in_the_panel_at_the_click(browse: Page) -> None:
    browse.route(re.compile("open="), lambda route: None)
    card = browse.locator("#cards .card").nth(2)
    card.locator(".hit").click()
    assert title(browse) == card.locator(".hit").inner_text()
    assert browse.locator("#panel img").get_attribute("src") == card.locator("img").get_attribute("src")


@pytest.mark.journeys
def test_an_open_card_stays_marked_while_the_list_below_goes_on(fresh: Visitor, page: Page) -> None:
    fresh.faults.add(Fault(kind="latency", hub="huggingface", seconds=4.0))
    page.goto(fresh.url)
    page.locator("#cards .hit").first.click()
    expect(page.locator("#panel .actions")).to_be_visible()
    expect(page.locator("#hubs .dot.asked")).to_have_count(1)
    expect(page.locator("#hubs .dot.good")).to_have_count(3)
    expect(page.locator("#cards .hit").first).to_have_attribute("aria-current", "true")


def test_what_is_added_to_the_comparison_leads_there_and_keeps_the_focus(browse: Page, demo: str) -> None:
    browse.goto(f"{demo}?base=tiny-shapes")
    browse.locator("#cards .hit").first.click()
    browse.get_by_role("link", name="+ Compare").press("Enter")
    expect(browse.locator("#panel a:focus")).to_have_text("Compare 1")
    browse.keyboard.press("Enter")
    expect(browse.locator("#stack .layer")).to_have_count(1)


def test_escape_closes_what_lies_on_top_first(browse: Page) -> None:
    browse.locator("#cards .hit").first.click()
    expect(browse.locator("#panel .actions")).to_be_visible()
    browse.locator("#hubs-menu summary").click()
    browse.keyboard.press("Escape")
    expect(browse.locator("#hubs-menu")).not_to_have_attribute("open", "")
    expect(browse.locator("#panel .actions")).to_be_visible()


def test_a_filter_and_a_chip_change_the_list_and_its_address_and_back_takes_them_back(browse: Page) -> None:
    browse.evaluate("scrollTo(0, 600)")
    browse.get_by_label("Style", exact=False).first.check()
    expect(browse.locator("#line")).to_contain_text("styles")
    expect(browse.locator("#cards .card").first).to_be_in_viewport()
    browse.get_by_label("Character", exact=False).first.check()
    expect(browse).to_have_url(re.compile("kind=character&kind=style|kind=style&kind=character"))
    browse.get_by_role("link", name="Remove characters").press("Enter")
    expect(browse.get_by_label("Character", exact=False).first).not_to_be_checked()
    expect(browse.locator("#line .part")).to_be_focused()
    browse.go_back()
    expect(browse.get_by_label("Character", exact=False).first).to_be_checked()


def test_a_box_keeps_its_tick_while_its_list_is_awaited_and_another_part_changes(browse: Page) -> None:
    held = list[Route]()
    browse.route(re.compile(r"/\?.*kind=style"), lambda route: held.append(route))
    style = browse.get_by_label("Style", exact=False).first
    style.check()
    browse.locator("#searches > summary").click()
    expect(browse.get_by_role("button", name="Save this search")).to_be_visible()
    assert style.is_checked()
    held[0].continue_()
    expect(browse.locator("#line")).to_contain_text("styles")


def test_a_group_of_filters_is_read_when_it_is_opened_and_stays_open_with_the_counts_of_each_list(browse: Page) -> None:
    group = browse.locator("#group-license")
    group.locator("summary").click()
    counted = group.get_by_label("selling images").locator("..").inner_text()
    browse.get_by_label("Style", exact=False).first.check()
    expect(group.locator("label").first).not_to_have_text(counted, use_inner_text=True)
    group.get_by_label("selling images").check()
    expect(browse.locator("#line")).to_contain_text("images may be sold")
    browse.get_by_role("link", name="Remove images may be sold").click()
    expect(group.get_by_label("selling images")).not_to_be_checked()
    expect(group.get_by_label("paid services")).to_be_visible()
    browse.get_by_role("link", name="Remove styles").press("Enter")
    expect(browse.locator("#q")).to_be_focused()


def test_a_suggestion_is_taken_by_keyboard_and_the_box_keeps_the_focus(browse: Page) -> None:
    browse.locator("#q").press_sequentially("ki")
    expect(browse.locator("#suggestions [role=option]").first).to_contain_text("kind:")
    browse.keyboard.press("ArrowDown")
    browse.keyboard.press("Enter")
    expect(browse.locator("#q")).to_have_value("kind:")
    expect(browse.locator("#q")).to_be_focused()


def test_a_term_says_what_it_means_where_the_pointer_moves_and_not_where_it_rests(browse: Page) -> None:
    browse.locator("#cards .hit").nth(4).click()
    term = browse.locator("#panel .term").first
    expect(term).to_be_visible()
    expect(browse.locator("#note")).to_have_count(0)
    term.hover()
    place = term.bounding_box()
    assert place is not None
    browse.mouse.move(place["x"] + 1, place["y"] + 1)
    expect(browse.locator("#note")).to_be_visible()


def test_on_a_phone_the_filters_are_a_sheet_and_the_panel_a_page(demo: str, open_page: Callable[..., Page]) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True)
    page.goto(demo)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Style", exact=False).first.check()
    expect(page.locator("#line")).to_contain_text("styles")
    page.keyboard.press("Escape")
    page.locator("#cards .hit").first.click()
    box = page.locator("#panel").bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"] >= 375) == (0, 0, True)


@pytest.mark.journeys
def test_eight_tabs_are_open_and_the_ninth_loads(demo: str, page: Page) -> None:
    for tab in (page, *(page.context.new_page() for _ in range(8))):
        tab.goto(demo)
        expect(tab.locator("#cards .hit").first).to_be_visible()


@pytest.mark.journeys
def test_two_thousand_cards_are_scrolled_through_and_the_page_stays_light(fresh: Visitor, page: Page) -> None:
    fresh.services.catalog.add(
        replace(each, versions=tuple(replace(v, examples=()) for v in each.versions)) for each in made_up_loras(MANY)
    )
    page.goto(f"{fresh.url}?sort=downloads&nsfw=explicit")
    expect(page.locator("#next .more")).to_be_visible()
    page.evaluate(SCROLL)
    expect(page.locator("#next")).to_contain_text("The end of the list.")
    ids = page.evaluate("[...document.querySelectorAll('#cards .card')].map((card) => card.id)")
    assert (len(ids) >= MANY, len(ids)) == (True, len(set(ids)))
    assert page.evaluate("performance.memory.usedJSHeapSize") < 60_000_000


def test_whatever_answers_come_late_the_page_is_what_its_address_says(browser: Browser, tmp_path: Path) -> None:
    random = Random(3)
    with late_demo(tmp_path, random) as demo:
        assert [fault for name in ROOMS for fault in played(browser, demo.url, name, 5, random)] == []


@pytest.mark.journeys
@pytest.mark.parametrize("name", ROOMS)
def test_two_hundred_rounds_with_late_answers_end_right(browser: Browser, tmp_path: Path, name: str) -> None:
    random = Random(7)
    with late_demo(tmp_path, random) as demo:
        assert list(played(browser, demo.url, name, 200, random)) == []


def tick(page: Page, title: str) -> None:
    card = page.locator(".card", has=page.get_by_role("link", name=title, exact=True))
    card.hover()
    card.get_by_role("checkbox").check()


def test_what_is_ticked_in_several_searches_is_compared_unless_it_is_unticked(demo: str, page: Page) -> None:
    page.goto(f"{demo}?q=robot")
    tick(page, "SKS Robot")
    page.get_by_role("button", name="Untick all").click()
    expect(page.locator("#tray")).to_be_hidden()
    expect(page.get_by_role("checkbox", name="Compare SKS Robot")).not_to_be_checked()
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
    expect(page).to_have_url(re.compile("/try\\?.*sheet=loras"))
    expect(page.locator("#stack .layer")).to_have_count(2)


def test_without_javascript_the_ticked_cards_of_a_page_are_compared(demo: str, open_page: Callable[..., Page]) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(f"{demo}?q=robot&ask=1")
    tick(page, "SKS Robot")
    tick(page, "sks-robot")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#stack .layer")).to_have_count(2)


# Choose the left image of the next pair at the moment in which it appears.
CHOOSE_AT_ONCE = """() => {
  window.isSamePage = true;
  new MutationObserver((_, observer) => {
    observer.disconnect();
    document.querySelector('[data-key="1"]').click();
  }).observe(document.getElementById("main"), { childList: true });
}"""


def test_of_four_ticked_cards_the_winner_is_kept_and_the_proof_opens_elsewhere(
    demo: str, page: Page, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page.goto(f"{demo}?base=tiny-shapes")
    for title in ("Snowfall", "Size Slider", "SKS Robot", "top-hat-tiny"):
        tick(page, title)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Make the sheet").click()
    page.get_by_role("link", name="Judge blind").click(timeout=places.WAIT)
    choice = page.get_by_role("status")
    expect(choice).to_contain_text("Choice 1.")
    page.evaluate(CHOOSE_AT_ONCE)
    page.keyboard.press("1")
    expect(choice).to_contain_text("Choice 3.")
    assert page.evaluate("window.isSamePage")
    for number, key in enumerate("01", 4):
        page.keyboard.press(key)
        expect(choice).to_contain_text(f"Choice {number}.")
    assert axe.violations(page) == []
    page.get_by_role("link", name="See the ranking").click()
    expect(page.locator(".ranking li")).to_have_count(4)
    assert axe.violations(page) == []
    with page.expect_download() as proof:
        page.get_by_role("link", name="Save the proof").click()
    proof.value.save_as(tmp_path / "proof.png")
    page.get_by_role("button", name="Keep, remove the others").click()
    expect(page.get_by_role("status").filter(has_text="3 LoRAs removed.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("form.said").get_by_role("button", name="Undo")).to_have_count(0)
    other = open_page()
    other.goto(demo)
    places.drop(other, "proof.png", (tmp_path / "proof.png").read_bytes(), "image/png")
    other.get_by_role("link", name="See the ranking").click(timeout=places.WAIT)
    expect(other.get_by_role("heading", name="Ranking · 4 blind choices")).to_be_visible()
