"""What only a browser can tell of the look: with forced colours, without motion, and enlarged to 200 %."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from hub_ui.web.images import MISSING
from tests.browser import places
from tests.browser.layout import beyond_the_window, too_wide, unreachable

pytestmark = pytest.mark.browser
COLOURS = """(node) => {
  const style = getComputedStyle(node);
  return [style.backgroundColor, style.borderTopColor, style.outlineColor, style.boxShadow];
}"""
# How things look that differ by colour alone where nobody forces one.
PAIRS = (
    ("#filters input:checked", "#filters input:not(:checked)"), ("#hubs .dot.good", "#hubs .dot.down"),
    ("#places > [aria-current]", "#places > :not([aria-current])"),
    (".card:has([aria-current])", ".card:not(:has([aria-current]))"),
)  # fmt: skip
MOVES = """() => document.getAnimations().filter((each) => each.playState === 'running')
  .map((each) => each.effect.target?.className || each.animationName)"""


def test_with_forced_colours_what_is_chosen_still_looks_otherwise(open_page: Callable[..., Page], demo: str) -> None:
    page = open_page(viewport={"width": 1440, "height": 844}, forced_colors="active")
    places.browse(page, f"{demo}?kind=style")
    page.locator(".card .hit").first.click()
    expect(page.locator("#panel .actions")).to_be_visible()
    page.locator("#hubs .dot").first.evaluate("(dot) => dot.classList.replace('good', 'down')")
    same = [pair for pair in PAIRS if len({str(page.locator(each).first.evaluate(COLOURS)) for each in pair}) == 1]
    assert same == []


def test_where_a_picture_can_not_be_had_the_initial_is_seen(open_page: Callable[..., Page], demo: str) -> None:
    page = open_page(viewport={"width": 1440, "height": 844})
    page.route("**/hub-picture*", lambda route: route.fulfill(body=MISSING, content_type="image/svg+xml"))
    places.panel(page, demo)
    for picture in (".card:last-child .picture", "#strip figure"):
        with Image.open(io.BytesIO(page.locator(picture).first.screenshot())) as shown:
            left, top = shown.width // 2 - 12, shown.height // 2 - 12
            assert len(shown.crop((left, top, left + 24, top + 24)).getcolors() or range(300)) > 2


def test_without_motion_nothing_moves_even_while_hubs_are_asked(open_page: Callable[..., Page], demo: str) -> None:
    page = open_page(viewport={"width": 1440, "height": 844}, reduced_motion="reduce")
    places.browse(page, demo)
    page.evaluate("document.querySelector('#hubs .dot').className = 'dot asked'")
    assert page.evaluate(MOVES) == []
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(MOVES) != []


def test_enlarged_to_twice_its_size_all_of_it_is_within_reach(open_page: Callable[..., Page], demo: str) -> None:
    """A window of 1280 × 1024 at 200 % has room for 640 × 512."""
    found = {}
    for place in ("browse", "compare_expert", "settings"):
        page = open_page(viewport={"width": 640, "height": 512}, device_scale_factor=2)
        places.PLACES[place](page, demo)
        found[place] = [*unreachable(page), *too_wide(page), *beyond_the_window(page)]
    assert found == {"browse": [], "compare_expert": [], "settings": []}
