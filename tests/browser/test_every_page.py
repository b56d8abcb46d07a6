"""Every page, in both themes and at the widths of a phone, a small and a large screen: what keeps people out of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.layout import too_wide, unreachable
from tests.browser.places import PLACES, come_to_rest

pytestmark = pytest.mark.browser
NAMES = {
    **dict.fromkeys(("browse", "nothing_found", "panel"), "Browse"),
    **dict.fromkeys(("try_empty", "try_more", "try_result"), "Try"),
    **dict.fromkeys(("library", "library_import", "drawer"), "Library"),
    "train": "Train",
    "settings": "Settings",
}


@pytest.fixture(scope="module", params=PLACES)
def place(browser: Browser, demo: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """One page after the other, each opened once. Without motion: a colour half faded in has no contrast."""
    context = browser.new_context(viewport={"width": 1440, "height": 844}, reduced_motion="reduce")
    page = context.new_page()
    PLACES[request.param](page, demo)
    yield page
    context.close()


def resize(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    come_to_rest(page)


@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=pytest.mark.journeys)])
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.journeys)])
def test_axe_finds_nothing_serious(place: Page, width: int, theme: str) -> None:
    resize(place, width)
    place.evaluate("(dark) => document.body.classList.toggle('dark', dark)", theme == "dark")
    assert axe.violations(place, colours_only=theme == "dark") == []


@pytest.mark.parametrize(
    "width", [pytest.param(1440, marks=pytest.mark.journeys), pytest.param(1024, marks=pytest.mark.journeys), 390]
)
def test_every_control_can_be_reached_and_nothing_is_too_wide(place: Page, width: int) -> None:
    resize(place, width)
    assert unreachable(place) == []
    assert too_wide(place) == []
    assert place.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_it_has_one_heading_of_the_first_level_and_is_named_in_the_tab(
    place: Page, request: pytest.FixtureRequest
) -> None:
    name = NAMES[request.node.callspec.params["place"]]
    assert place.get_by_role("heading", level=1).all_inner_texts() == [name]
    # An open panel gives the tab the name of its LoRA.
    opened = place.locator("#page-browse:visible .detail h2")
    expect(place).to_have_title(f"{opened.inner_text() if opened.count() else name} · hub-ui")


def test_the_measure_sees_what_no_hand_can_reach(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_content("""
      <button>here</button><button style="position: absolute; left: 380px">beside</button>
      <button style="position: absolute; left: 20px; top: 200px">below</button>
      <p id="lid" style="position: absolute; left: 0; top: 150px; width: 200px; height: 100px; background: red"></p>
      <div style="width: 100px; overflow: auto; height: 90px" id="box"><p style="width: 150px">long</p></div>""")
    faults = unreachable(page)
    assert [fault.split(":")[0] for fault in faults] == ["beside", "below"]
    assert faults[1] == "below: is covered by lid"
    assert too_wide(page) == ["box"]
    page.close()
