"""What only a browser can tell of the look: that rules survive the way Gradio hands them on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_a_chosen_filter_is_filled(demo: str, page: Page) -> None:
    page.goto(demo + "?kind=style&__theme=light")
    box = page.get_by_role("group", name="Kind").get_by_role("checkbox", name="Style").locator("i")
    expect(box).to_have_css("background-color", "rgb(58, 91, 217)")


@pytest.mark.journeys
@pytest.mark.parametrize(
    ("theme", "ink", "scheme"), [("light", "rgb(28, 29, 31)", "normal"), ("dark", "rgb(236, 238, 241)", "dark")]
)
def test_titles_stay_readable_and_scroll_bars_follow_the_theme_whatever_the_cards_are_flagged_with(
    demo: str, page: Page, theme: str, ink: str, scheme: str
) -> None:
    page.goto(f"{demo}?__theme={theme}")
    expect(page.locator(".card .title").first).to_have_css("color", ink)
    expect(page.locator(".flag.dark").first).to_be_visible()
    expect(page.locator("html")).to_have_css("color-scheme", scheme)


@pytest.mark.journeys
def test_what_each_hub_answered_lies_within_the_window(demo: str, page: Page) -> None:
    page.goto(f"{demo}?view=try&__theme=light")
    expect(page.locator(".hub.good")).to_have_count(3)
    page.evaluate("document.querySelectorAll('.hubs .said').forEach((said) => { said.textContent = '12.3 s'; })")
    for width in (1024, 1260, 1350, 1440):
        page.set_viewport_size({"width": width, "height": 760})
        ends = page.locator(".hub").evaluate_all("(hubs) => hubs.map((hub) => hub.getBoundingClientRect().right)")
        assert max(ends) <= page.evaluate("document.documentElement.clientWidth")


@pytest.mark.journeys
def test_a_long_path_leaves_room_for_its_name_on_a_phone(demo: str, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{demo}?view=settings&__theme=light")
    name = page.locator("#settings th", has_text="Lock file")
    expect(name).to_be_visible()
    places = name.evaluate(
        """(cell) => [cell, cell.nextElementSibling].map((each) => {
            const range = document.createRange();
            range.selectNodeContents(each);
            return range.getBoundingClientRect();
        })"""
    )
    assert places[0]["right"] <= places[1]["left"]
