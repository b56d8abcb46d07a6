"""Nothing moves under a person's eyes or finger: neither while a page comes, nor after a click, which counts too."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import places
from tests.browser.journey import GOOD_SHIFT
from tests.browser.layout import COUNT_SHIFTS, assert_still, forget_shifts, shifts
from tests.browser.places import come_to_rest
from tests.faults import Fault
from tests.hub_ui.web.raw import Visitor

pytestmark = pytest.mark.browser
ADDRESSES = (
    "", "?base=tiny-shapes&open=civitai:900103", "try", f"try?lora={places.INK}", "library",
    "settings", "glossary", "about", "history", "downloads", "news",
)  # fmt: skip
BOTH_WIDTHS = pytest.mark.parametrize("page", [1440, pytest.param(390, marks=pytest.mark.journeys)], indirect=True)


@pytest.fixture
def page(open_page: Callable[..., Page], request: pytest.FixtureRequest) -> Page:
    page = open_page(viewport={"width": request.param, "height": 844})
    page.add_init_script(COUNT_SHIFTS)
    return page


@pytest.mark.journeys
@pytest.mark.parametrize("page", [1440, 390], indirect=True)
def test_no_page_shifts_while_it_comes(demo: str, page: Page) -> None:
    found: dict[str, list[str]] = {}
    for address in ADDRESSES:
        page.goto(demo + address)
        come_to_rest(page)
        moved = shifts(page)
        found |= {address: moved.lines} if moved.total > GOOD_SHIFT else {}
    assert found == {}


@BOTH_WIDTHS
def test_a_first_visit_does_not_shift_when_the_hubs_answer_one_after_the_other(fresh: Visitor, page: Page) -> None:
    for hub, seconds in (("civitai", 0.2), ("huggingface", 2.0), ("replicate", 3.0)):
        fresh.faults.add(Fault(kind="latency", hub=hub, seconds=seconds))
    places.browse(page, fresh.url)
    # What the headers of files say comes last, and stands in the line that is there.
    expect(page.locator(".card .figures", has_text="rank 16 · 153 MB")).to_be_visible()
    heights = page.locator(".card .figures").evaluate_all("(lines) => lines.map((line) => line.offsetHeight)")
    assert len(set(heights)) == 1
    cut = "(chips) => chips.filter((chip) => chip.scrollWidth > chip.clientWidth).map((chip) => chip.textContent)"
    assert page.locator(".card", has_text="Tiny Shapes").locator(".chip").evaluate_all(cut) == []
    assert_still(page, GOOD_SHIFT)


@BOTH_WIDTHS
def test_what_a_hub_adds_to_a_short_list_moves_nothing(fresh: Visitor, page: Page) -> None:
    places.browse(page, f"{fresh.url}?hub=civitai&base=tiny-shapes")
    forget_shifts(page)
    fresh.faults.add(Fault(kind="latency", hub="huggingface", seconds=3.0))
    places.browse(page, fresh.url)
    assert_still(page, GOOD_SHIFT)


@BOTH_WIDTHS
def test_the_panel_moves_nothing_and_a_search_nothing_that_is_around_the_list(demo: str, page: Page) -> None:
    """Cards that another list has too go to their place in it."""
    places.browse(page, demo)
    page.locator(".card .hit").nth(3).scroll_into_view_if_needed()
    forget_shifts(page)
    page.locator(".card .hit").nth(3).click()
    expect(page.locator("#panel .actions")).to_be_visible()
    come_to_rest(page)
    assert_still(page, GOOD_SHIFT)
    page.locator("#panel [data-close]").click()
    expect(page.locator("#panel .actions")).to_have_count(0)
    assert_still(page, GOOD_SHIFT)
    boxes = [page.locator(each) for each in ("#view", "#hubs-menu")]
    before = [box.bounding_box() for box in boxes]
    page.locator("#q").fill("base:tiny-shapes kind:style")
    page.locator("#q").press("Enter")
    expect(page.locator("#line .part")).to_have_count(2)
    come_to_rest(page)
    assert [box.bounding_box() for box in boxes] == before


@pytest.mark.parametrize("page", [1440, 390], indirect=True)
def test_a_header_and_a_download_move_nothing_in_the_panel_nor_the_focus(fresh: Visitor, page: Page) -> None:
    fresh.faults.add(Fault(kind="latency", hub="civitai", seconds=5.0, match="download"))
    page.goto(f"{fresh.url}?open=civitai:900103")
    expect(page.locator("#unread")).to_be_visible()
    forget_shifts(page)
    expect(page.locator("#panel .facts", has_text="Rank")).to_be_visible()
    come_to_rest(page)
    assert_still(page, GOOD_SHIFT)
    fresh.faults.clear()
    fresh.faults.add(Fault(kind="latency", hub="civitai", seconds=600.0, match="download"))
    for text in ("Pause", "Resume", "In library"):
        page.locator("#get").press("Enter")
        if text == "Resume":
            fresh.faults.clear()
        expect(page.locator("#get")).to_have_text(text)
        expect(page.locator("#get")).to_be_focused()
    assert_still(page, GOOD_SHIFT / 4)


@pytest.mark.journeys
@pytest.mark.parametrize("page", [1440], indirect=True)
def test_from_a_click_on_make_to_the_finished_pair_nothing_moves(demo: str, page: Page) -> None:
    places.compare_lora(page, demo)
    page.locator("#make").scroll_into_view_if_needed()
    come_to_rest(page)
    forget_shifts(page)
    page.locator("#run").click()
    expect(page.locator(".pair img.over")).to_be_visible(timeout=places.MAKING)
    come_to_rest(page)
    assert_still(page, GOOD_SHIFT)
