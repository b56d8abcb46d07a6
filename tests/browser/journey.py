"""What every journey is held to: at each stop nothing has moved by itself, and axe finds nothing.

    def test_from_here_to_there(demo: str, journey: Page) -> None:
        journey.goto(demo)
        ...
        stop(journey)

The fixture `journey` also fails on console errors and requests to another machine, and stops at the end by itself.
"""

from playwright.sync_api import Page, ViewportSize

from tests.browser import axe
from tests.browser.layout import assert_still
from tests.browser.places import come_to_rest

SCREEN: ViewportSize = {"width": 1440, "height": 960}
PHONE: ViewportSize = {"width": 390, "height": 844}
# Cumulative Layout Shift is good below 0.1; this is a fifth of it.
GOOD_SHIFT = 0.02


def stop(page: Page) -> None:
    """A person stops to look. Shifts count since the last stop, or since the page was loaded."""
    come_to_rest(page)
    # What moves right after a click is the answer to it; test_layout_shift.py counts that too.
    assert_still(page, GOOD_SHIFT, by_itself=True)
    found = axe.violations(page)
    assert found == [], found
