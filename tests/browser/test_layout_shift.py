"""Nothing moves by itself under a person's eyes or finger: Cumulative Layout Shift is good below 0.1."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hub_ui.pages.browse import detail
from hub_ui.pages.browse import page as browse_page
from hub_ui.pages.try_page import form
from playwright.sync_api import Browser, Page, expect

from connectors.ref import Ref
from hub_ui.demo.hubs.faults import Fault
from hub_ui.widgets import header
from tests.browser import places
from tests.browser.demo import Demo, whole_demo
from tests.browser.layout import COUNT_SHIFTS, assert_still, forget_shifts
from tests.browser.places import come_to_rest

pytestmark = pytest.mark.browser
GOOD = 0.1
# Of one cause that was mended, so that the sum of several stays good.
SMALL = 0.03
BOX = "#search input, #search textarea"
# However fast the machine is, an answer comes when what it moves does not count as moved by the click any more.
LATE = """
const send = window.fetch;
window.fetch = async (address, options) => {
  if (String(address.url ?? address).includes('/queue/join')) { await new Promise((done) => setTimeout(done, 800)); }
  return send(address, options);
};
"""
PASTED = "https://civitai.com/models/122431/detail-dial?modelVersionId=1224311"


@pytest.fixture(params=[1440, pytest.param(390, marks=pytest.mark.journeys)])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": request.param, "height": 844})
    context.add_init_script(COUNT_SHIFTS)
    yield context.new_page()
    context.close()


@pytest.fixture
def late(page: Page) -> Page:
    """The same with a server that answers late."""
    page.add_init_script(LATE)
    return page


def test_the_first_page_does_not_shift_while_it_fills(demo: str, page: Page) -> None:
    places.browse(page, demo)
    come_to_rest(page)
    assert_still(page, GOOD)


def slow_down(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, seconds: float) -> None:
    """The server as it is on a busy computer."""
    answer: Callable[..., Any] = getattr(module, name)

    def answer_late(*args: Any, **more: Any) -> Any:
        time.sleep(seconds)
        return answer(*args, **more)

    monkeypatch.setattr(module, name, answer_late)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Demo]:
    """With a catalog that has seen nothing yet. It is there until no browser has its page open."""
    with whole_demo(tmp_path) as running:
        yield running


@pytest.mark.journeys
def test_a_first_visit_does_not_shift_when_the_hubs_answer_one_after_the_other(fresh: Demo, page: Page) -> None:
    fresh.hubs.faults.add(*(
        Fault(kind="latency", hub=hub, seconds=seconds)
        for hub, seconds in (("civitai", 0.2), ("huggingface", 2.0), ("replicate", 3.0))
    ))  # fmt: skip
    places.browse(page, fresh.url)
    come_to_rest(page)
    assert_still(page, SMALL)


@pytest.mark.journeys
def test_a_list_that_gets_short_brings_its_end_without_a_shift(demo: str, page: Page) -> None:
    places.browse(page, demo)
    come_to_rest(page)
    forget_shifts(page)
    page.locator(BOX).fill("base:tiny-shapes")
    page.locator(BOX).press("Enter")
    expect(page.locator("#results #more")).to_contain_text("The end of the list")
    assert_still(page, SMALL)


@pytest.mark.journeys
def test_a_pasted_address_has_the_panels_column_at_once_however_late_the_answer_is(
    demo: str, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(monkeypatch, browse_page, "submit", 1.0)
    slow_down(monkeypatch, detail, "catalog_html", 6.0)
    places.browse(page, demo)
    come_to_rest(page)
    forget_shifts(page)
    page.locator(BOX).fill(PASTED)
    page.locator(BOX).press("Enter")
    expect(page.locator(".detail h2")).to_contain_text("Detail Dial")
    assert_still(page, SMALL, by_itself=True)


@pytest.mark.journeys
def test_an_address_that_names_no_lora_takes_no_room_from_the_list(demo: str, page: Page) -> None:
    places.browse(page, demo)
    page.locator(BOX).fill("https://example.org/models/1")
    page.locator(BOX).press("Enter")
    expect(page.get_by_test_id("toast-body")).to_be_visible()
    expect(page.locator("#page-browse[data-panel]")).to_have_count(0)


@pytest.mark.journeys
def test_the_try_page_is_shown_with_its_lora_however_late_the_form_is(
    demo: str, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.panel(page, demo)
    slow_down(monkeypatch, form, "show", 1.5)
    come_to_rest(page)
    forget_shifts(page)
    page.locator(".detail").get_by_role("button", name="+ Stack").click()
    page.locator(".detail").get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Try").click()
    expect(page.locator(".layer")).to_be_visible()
    expect(page.locator("#estimate p")).to_be_visible()
    assert_still(page, GOOD, by_itself=True)


def test_the_panel_opens_and_closes_at_the_click_and_nothing_moves_after_it(demo: str, page: Page) -> None:
    places.browse(page, demo)
    come_to_rest(page)
    page.locator(".card .hit").nth(9).scroll_into_view_if_needed()
    forget_shifts(page)
    page.locator(".card .hit").nth(9).click()
    expect(page.locator(".detail .actions")).to_be_visible()
    come_to_rest(page)
    assert_still(page, GOOD, by_itself=True)
    page.locator(".detail").get_by_role("button", name="Close").click()
    expect(page.locator(".detail")).to_have_count(0)
    assert_still(page, GOOD, by_itself=True)


@pytest.mark.journeys
def test_the_list_of_the_library_makes_way_at_the_click_however_late_the_answer_is(fresh: Demo, late: Page) -> None:
    fresh.services.downloads.pull(Ref.parse("civitai:122431"))
    late.goto(fresh.url + "?view=library")
    expect(late.get_by_role("button", name="Edit Detail Dial")).to_be_visible()
    come_to_rest(late)
    forget_shifts(late)
    late.get_by_role("button", name="Edit Detail Dial").click()
    expect(late.locator("#entry .entry")).to_be_focused()
    late.locator("#entry").get_by_role("button", name="Close").click()
    expect(late.locator("#entry .entry")).to_have_count(0)
    expect(late.get_by_role("button", name="Edit Detail Dial")).to_be_focused()
    assert_still(late, SMALL, by_itself=True)


@pytest.mark.journeys
def test_a_strip_comes_without_pushing_the_page_about(demo: str, page: Page) -> None:
    places.try_lora(page, demo)
    page.get_by_role("tab", name="Weights").click()
    expect(page.get_by_role("tab", name="Weights")).to_have_attribute("aria-selected", "true")
    # The field for the weights comes with the tab, and not with the strip.
    come_to_rest(page)
    forget_shifts(page)
    page.locator("#make").click()
    expect(page.locator(".tiles img").first).to_be_visible(timeout=places.MAKING)
    come_to_rest(page)
    assert_still(page, GOOD)


@pytest.mark.journeys
@pytest.mark.parametrize("page", [1440], indirect=True)
@pytest.mark.parametrize("name", ["Try", "Library"])
def test_the_panel_does_not_make_way_before_another_page_takes_the_place_of_the_list(
    demo: str, late: Page, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    places.panel(late, demo)
    # The panel is empty before the server says which page is shown.
    slow_down(monkeypatch, header, "nav_html", 2.0)
    come_to_rest(late)
    forget_shifts(late)
    late.get_by_role("link", name=name).click()
    expect(late.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
    assert_still(late, SMALL, by_itself=True)


@pytest.mark.journeys
def test_from_download_and_try_to_the_finished_pair_nothing_moves_however_late_the_answers_are(
    demo: str, late: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.panel(late, demo)
    slow_down(monkeypatch, header, "nav_html", 2.0)
    come_to_rest(late)
    forget_shifts(late)
    late.get_by_role("button", name="Download & try").click()
    expect(late.locator(".pair img.over")).to_be_visible(timeout=places.MAKING)
    come_to_rest(late)
    assert_still(late, SMALL, by_itself=True)


@pytest.mark.journeys
def test_a_page_is_shown_at_the_click_and_not_for_ever_without_an_answer(demo: str, page: Page) -> None:
    page.clock.install()
    places.browse(page, demo)
    page.evaluate("() => { window.fetch = () => new Promise(() => {}); }")
    page.get_by_role("link", name="Library").click()
    expect(page.locator("#page-library")).to_be_visible()
    expect(page.locator("#page-browse")).to_be_hidden()
    page.clock.fast_forward(31_000)
    expect(page.locator("#page-browse")).to_be_visible()


@pytest.mark.journeys
@pytest.mark.parametrize("page", [1440], indirect=True)
def test_a_filter_closes_the_panel_at_the_click(demo: str, late: Page) -> None:
    places.panel(late, demo)
    come_to_rest(late)
    forget_shifts(late)
    late.locator(".sentence .part").click()
    expect(late.locator(".sentence .part")).to_have_count(0)
    expect(late.locator(".card.ghost")).to_have_count(0)
    come_to_rest(late)
    assert_still(late, GOOD, by_itself=True)


@pytest.mark.journeys
@pytest.mark.parametrize("page", [390], indirect=True)
def test_on_a_phone_fields_that_come_with_a_tab_do_not_push_the_stage_away(demo: str, late: Page) -> None:
    places.try_lora(late, demo)
    late.evaluate("document.getElementById('tabs').scrollIntoView()")
    come_to_rest(late)
    forget_shifts(late)
    late.get_by_role("tab", name="Weights").click()
    expect(late.get_by_role("tab", name="Weights")).to_have_attribute("aria-selected", "true")
    assert_still(late, SMALL, by_itself=True)
