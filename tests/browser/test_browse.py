"""Browsing in a real browser: one order over all hubs, true numbers, cards that keep their place."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from connectors.query import Query
from hub_ui.catalog.search import Listing
from hub_ui.demo.hubs.faults import Fault
from hub_ui.pages.browse import results
from hub_ui.services import Services
from hub_ui.widgets.render import read_script
from tests.browser.demo import Demo, whole_demo

pytestmark = pytest.mark.browser
DOWNLOADS = """() => [...document.querySelectorAll('.card .figures .push')].map((each) => {
  const [, number, unit] = each.textContent.match(/([\\d.]+)([kM]?)/) || [null, '-1', ''];
  return Number(number) * ({k: 1e3, M: 1e6}[unit] || 1);
})"""
OPEN = re.compile("open=")
TITLES = "() => [...document.querySelectorAll('.card .title')].map((each) => each.textContent.trim())"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("browse")) as running:
        yield running


@pytest.fixture
def demo(whole: Demo) -> Iterator[Demo]:
    yield whole
    whole.hubs.faults.clear()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Demo]:
    """With a catalog that has seen nothing yet."""
    with whole_demo(tmp_path) as running:
        yield running


def arrived(page: Page, hubs: int = 3) -> None:
    expect(page.locator(".hub.good")).to_have_count(hubs)
    expect(page.locator(".card.ghost")).to_have_count(0)


def test_most_downloaded_falls_over_three_hubs_and_is_the_same_each_time(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?sort=downloads")
    arrived(page)
    line = page.locator(".news [data-act=relist]")
    if line.count():
        line.click()
        expect(line).to_have_count(0)
    numbers, titles = page.evaluate(DOWNLOADS), page.evaluate(TITLES)
    assert numbers == sorted(numbers, reverse=True)
    assert {mark[:2].strip() for mark in page.locator(".card .mark").all_inner_texts()} == {"C", "HF", "R"}
    # Another page and no reload: leaving one while headers are read is an error on its console.
    again = page.context.new_page()
    again.goto(page.url)
    arrived(again)
    assert again.evaluate(TITLES) == titles


def total(page: Page) -> int:
    return int(page.locator(".sentence b").inner_text().replace(",", ""))


PLACES = """() => Object.fromEntries([...document.querySelectorAll('.card .hit')].map((hit) => {
  const {left, top} = hit.closest('.card').getBoundingClientRect();
  return [hit.dataset.ref, [left, top]];
}))"""


def test_no_card_moves_while_hubs_answer_and_what_is_found_late_waits_behind_a_line(fresh: Demo, page: Page) -> None:
    for hub in ("huggingface", "civitai"):
        fresh.hubs.faults.add(Fault(kind="latency", hub=hub, match="/api/", seconds=3600.0))
    page.goto(fresh.url + "?sort=downloads")
    expect(page.locator(".card .hit").first).to_be_visible()
    page.mouse.move(*center(page.locator(".card").first))
    places = [page.evaluate(PLACES)]
    for hub, answered in (("huggingface", 2), ("civitai", 3)):
        fresh.hubs.faults.clear(hub)
        expect(page.locator(".hub.good")).to_have_count(answered)
        places.append(page.evaluate(PLACES))
    for before, after in itertools.pairwise(places):
        assert {ref: after.get(ref) for ref in before} == before
    line = page.locator(".news [data-act=relist]")
    waiting = int(line.inner_text().split()[0])
    assert waiting > 0
    assert page.locator(".card").count() + waiting <= total(page)
    line.click()
    expect(line).to_have_count(0)
    expect(page.locator(".card")).to_have_count(total(page))
    numbers = page.evaluate(DOWNLOADS)
    assert numbers == sorted(numbers, reverse=True)


def center(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_without_any_hub_the_list_is_the_same_and_says_how_old_it_is(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?sort=downloads")
    arrived(page)
    titles, number = page.evaluate(TITLES), total(page)
    for hub in ("civitai", "huggingface", "replicate"):
        demo.hubs.faults.add(Fault(kind="status", hub=hub, match="/"))
    again = page.context.new_page()
    again.goto(page.url)
    expect(again.locator(".news .note")).to_contain_text("No hub answers. These were")
    assert (again.evaluate(TITLES), total(again)) == (titles, number)


@pytest.mark.journeys
def test_a_hub_that_is_down_says_so_beside_its_name_and_nowhere_else(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(Fault(kind="status", hub="civitai", match="/api/v1/models"))
    page.goto(demo.url)
    arrived(page, hubs=2)
    expect(page.locator(".hub.down")).to_have_text(re.compile(r"CivitAI down since \d\d:\d\d.*Retry"))
    expect(page.locator(".news")).to_have_text("")


CHOICES = """() => [...document.querySelectorAll('.facets .option')].map((option) =>
  [option.dataset.facet, option.dataset.value, option.querySelector('b').textContent]).filter(([, , n]) => n)"""


@pytest.mark.journeys
def test_a_filters_number_is_the_number_of_cards_it_brings(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?q=outline")
    arrived(page)
    # What the files' headers say is counted too, once they are read.
    for ref in ("huggingface:shapeworks/ink-outline-tiny", "replicate:shapeworks/ink-outline"):
        card = page.locator(".card", has=page.locator(f".hit[data-ref^='{ref}@']"))
        expect(card.locator(".figures")).to_contain_text("r4")
    choices = [(facet, value, number) for facet, value, number in page.evaluate(CHOICES) if number != "0"]
    assert {facet for facet, _, _ in choices} >= {"hubs", "kinds", "bases", "licenses", "access", "creators", "tags"}
    for facet, value, number in choices:
        option = page.locator(f'.facets .option[data-facet="{facet}"][data-value="{value}"]')
        option.click()
        expect(page.locator(".sentence .part")).to_have_count(2)
        expect(page.locator(".sentence b"), f"{facet} {value}").to_have_text(number)
        expect(page.locator(".card:not(.ghost)"), f"{facet} {value}").to_have_count(int(number))
        option.click()
        expect(page.locator(".sentence .part")).to_have_count(1)


@pytest.mark.journeys
def test_a_list_that_goes_on_at_that_moment_does_not_end_the_search_for_a_filter(
    demo: Demo, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(demo.url)
    arrived(page)
    is_begun, may_go_on, read_list = threading.Event(), threading.Event(), results.read_list

    def read_late(services: Services, query: Query, limit: int) -> Listing:
        if query.kinds:
            is_begun.set()
            may_go_on.wait(60)
        return read_list(services, query, limit)

    monkeypatch.setattr(results, "read_list", read_late)
    page.locator(".facets .option[data-facet=kinds][data-value=style]").click()
    assert is_begun.wait(60)
    with page.expect_response("**/queue/join*"):
        page.evaluate("document.dispatchEvent(new CustomEvent('hub-ui-cards', { detail: { act: 'more' } }))")
    page.wait_for_timeout(500)
    may_go_on.set()
    expect(page).to_have_url(re.compile("kind=style"))
    expect(page.locator(".sentence .part")).to_contain_text("styles")


@pytest.mark.journeys
def test_text_that_the_server_wrote_into_the_search_box_is_sent_with_no_click(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?q=outline")
    arrived(page)
    expect(page.locator("#search input")).to_have_value("outline")
    sent = f"() => ({read_script('typed_text')})('view', document.querySelector('#search input').value)"
    assert page.evaluate(sent) == ["view", None]
    page.locator("#search input").fill("outline tag:icon")
    assert page.evaluate(sent) == ["view", "outline tag:icon"]
    assert page.evaluate(sent) == ["view", None]


@pytest.mark.journeys
def test_a_press_counts_for_the_filter_that_was_pressed(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    arrived(page)
    page.evaluate(
        """() => {
          const option = document.querySelector('.facets .option[data-value=style]');
          option.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));
          option.dataset.value = 'character';
          option.click();
        }"""
    )
    expect(page.locator(".sentence .part")).to_contain_text("styles")


@pytest.mark.parametrize(
    ("width", "columns"),
    [(1440, 4), pytest.param(1024, 2, marks=pytest.mark.journeys), pytest.param(390, 2, marks=pytest.mark.journeys)],
)
def test_a_clicked_card_keeps_its_place_when_the_panel_opens_and_closes(
    demo: Demo, page: Page, width: int, columns: int
) -> None:
    page.set_viewport_size({"width": width, "height": 960})
    page.goto(demo.url)
    arrived(page)
    page.mouse.move(width - 100, 600)
    page.mouse.wheel(0, 1000)
    page.wait_for_function("scrollY > 500")
    for column in (0, -1):
        ref = page.evaluate(SEEN_CARD, column)
        card = page.locator(".card", has=page.locator(f'.hit[data-ref="{ref}"]'))
        place = card.bounding_box()
        card.locator(".hit").click()
        expect(page.locator(".detail h2")).to_be_visible()
        opened = card.bounding_box()
        assert len(page.evaluate(COLUMNS)) == columns
        page.get_by_role("button", name="Close").click()
        expect(page.locator(".detail")).to_have_count(0)
        closed = card.bounding_box()
        assert place is not None
        assert opened is not None
        assert closed is not None
        assert abs(opened["y"] - place["y"]) < 2
        assert abs(closed["y"] - place["y"]) < 2
        assert abs(closed["x"] - place["x"]) < 2
        assert column or abs(opened["x"] - place["x"]) < 2


# The first card on the screen that stands in this column.
SEEN_CARD = """(column) => {
  const cards = [...document.querySelectorAll('.card')].filter((each) => each.getBoundingClientRect().top > 150);
  const lefts = [...new Set(cards.map((each) => each.offsetLeft))].sort((a, b) => a - b);
  return cards.find((each) => each.offsetLeft === lefts.at(column)).querySelector('.hit').dataset.ref;
}"""
COLUMNS = "[...new Set([...document.querySelectorAll('.card')].map((each) => each.offsetLeft))]"


@pytest.mark.journeys
def test_the_room_beside_an_address_that_opens_a_panel_is_there_from_the_start(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?open=civitai:122431")
    arrived(page)
    expect(page.locator(".detail .actions")).to_be_visible()
    assert len(page.evaluate(COLUMNS)) == 4
    page.go_back()
    page.go_forward()
    expect(page.locator(".detail .actions")).to_be_visible()


@pytest.mark.journeys
def test_what_this_is_is_said_until_it_was_read(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    arrived(page)
    page.get_by_role("button", name="Don’t show this again").click()
    expect(page.locator(".welcome")).to_be_hidden()
    again = page.context.new_page()
    again.goto(demo.url)
    arrived(again)
    expect(again.locator(".demo")).to_be_visible()
    expect(again.locator(".welcome")).to_be_hidden()


def test_what_names_one_lora_opens_it_and_its_own_copied_ref_does_too(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    arrived(page)
    box = page.get_by_role("combobox", name="Search")
    for text, opened in (
        ("https://civitai.com/models/122431/detail-dial?modelVersionId=1224311", "Detail Dial"),
        ("https://huggingface.co/shapeworks/ink-outline-tiny/tree/main", "ink-outline-tiny"),
        ("https://replicate.com/tinkertown/sks-robot", "sks-robot"),
        ("urn:air:sdxl:lora:civitai:122431@1224311", "Detail Dial"),
        ("shapeworks/ink-outline-tiny", "ink-outline-tiny"),
    ):
        box.fill(text)
        box.press("Enter")
        expect(page.locator(".detail h2"), text).to_contain_text(opened)
        expect(box, text).to_have_value("")
        expect(page, text).to_have_url(OPEN)
        copied = page.locator(".detail .pin code").inner_text()
        page.get_by_role("button", name="Close").click()
        expect(page.locator(".detail"), text).to_have_count(0)
        # With the address, the search box has been written for the last time.
        expect(page, text).not_to_have_url(OPEN)
        box.fill(copied)
        box.press("Enter")
        expect(page.locator(".detail h2"), copied).to_contain_text(opened)
        expect(page, copied).to_have_url(OPEN)
        page.get_by_role("button", name="Close").click()
        expect(page.locator(".detail"), text).to_have_count(0)
        expect(page, copied).not_to_have_url(OPEN)


def test_a_name_that_no_hub_has_is_searched_for_and_an_address_that_none_has_is_told(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    arrived(page)
    box = page.get_by_role("combobox", name="Search")
    box.fill("no-such/thing-anywhere")
    box.press("Enter")
    expect(page.locator(".note")).to_contain_text("Nothing matches")
    expect(page).to_have_url(re.compile("q=no-such"))
    box.fill("https://civitai.com/models/999999999")
    box.press("Enter")
    expect(page.locator(".detail .obstacle")).to_contain_text("Check the address, or search for its name.")
    expect(page).to_have_url(OPEN)
    box.fill("https://example.org/some/page")
    box.press("Enter")
    expect(page.get_by_test_id("toast-body")).to_contain_text("names no LoRA. Paste its web address")


@pytest.mark.journeys
def test_a_name_that_hubs_are_slow_to_know_takes_back_no_click(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    arrived(page)
    demo.hubs.faults.add(Fault(kind="latency", match="no-such", seconds=3600.0))
    box = page.get_by_role("combobox", name="Search")
    box.fill("no-such/thing-anywhere")
    box.press("Enter")
    page.locator(".card .hit").first.click()
    expect(page).to_have_url(OPEN)
    expect(page.locator(".detail .actions")).to_be_visible()
    demo.hubs.faults.clear()
    page.wait_for_timeout(2000)
    expect(page).to_have_url(OPEN)
    expect(page.locator(".detail .actions")).to_be_visible()


@pytest.mark.journeys
def test_no_number_of_a_card_is_cut_off(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    expect(page.locator(".hub.good")).to_have_count(3)
    expect(page.locator(".card .figures .file span", has_text="MB").first).to_be_attached()
    cut = """all => all.filter(one => {
        const row = one.closest(".figures").getBoundingClientRect(), box = one.getBoundingClientRect();
        const seen = box.top < row.bottom - 1 && box.width > 0;
        return seen && (box.right > row.right + 1 || one.scrollWidth > one.clientWidth + 1 && one.className != "file");
    }).map(one => one.textContent)"""
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".card .figures span").evaluate_all(cut) == []
