"""Every page, in both themes and at the widths of a phone, a small and a large screen: what keeps people out of it."""

from types import MappingProxyType

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe, places
from tests.browser.conftest import watched
from tests.browser.layout import beyond_the_window, squeezed, too_wide, unreachable
from tests.browser.places import PLACES, come_to_rest

pytestmark = pytest.mark.browser
WIDTHS = (1440, 1024, 390)
HEADINGS = """() => [...document.querySelectorAll('h1')].filter((each) => !each.closest('[aria-hidden=true]')).length"""


def hubs_menu(page: Page, demo: str) -> None:
    places.browse(page, demo)
    page.locator("#hubs-menu > summary").click()
    expect(page.locator("#hubs-list li").first).to_be_visible()


def every_filter(page: Page, demo: str) -> None:
    places.browse(page, f"{demo}?kind=style&nsfw=explicit")
    page.evaluate("document.querySelectorAll('#filters details').forEach((fold) => { fold.open = true; })")
    come_to_rest(page)


REACH = {**PLACES, **{reach.__name__: reach for reach in (hubs_menu, places.suggestions, every_filter)}}
GROUPS = MappingProxyType(
    {
        "list": ("browse", "nothing_found", "panel"),
        "opened": ("hubs_menu", "suggestions", "every_filter"),
        "compare": ("compare", "compare_expert", "compare_result", "history", "library", "drawer"),
        "small": ("settings", "glossary", "about", "image", "train", "downloads", "news"),
    }
)
SHORT = "list"


@pytest.mark.parametrize(
    "group", [SHORT, *(pytest.param(name, marks=pytest.mark.journeys) for name in GROUPS if name != SHORT)]
)
def test_axe_finds_nothing_and_every_control_is_within_reach(browser: Browser, demo: str, group: str) -> None:
    """Without motion: a colour half faded in has no contrast."""
    found: dict[str, list[str]] = {}
    for name in GROUPS[group]:
        with watched(browser, viewport={"width": 1440, "height": 844}, reduced_motion="reduce") as page:
            REACH[name](page, demo)
            assert page.evaluate(HEADINGS) == 1, f"{name} has one heading of the first level"
            assert page.title().endswith(" · hub-ui")
            for width in WIDTHS:
                found |= look(page, name, width)
    assert {place: faults for place, faults in found.items() if faults} == {}


def look(page: Page, name: str, width: int) -> dict[str, list[str]]:
    page.set_viewport_size({"width": width, "height": 844})
    come_to_rest(page)
    beside = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    scrolls = [f"scrolls: {box}" for box in too_wide(page)] + ([f"{beside} pixels beside"] if beside > 0 else [])
    found = {f"{name} {width}": [*unreachable(page), *beyond_the_window(page), *squeezed(page), *scrolls]}
    if width != 1024:
        found[f"{name} {width} light"] = axe.violations(page)
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        found[f"{name} {width} dark"] = axe.violations(page, colours_only=True)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return found
