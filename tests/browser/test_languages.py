"""The page in Chinese and Japanese: nothing is cut off, too wide or out of reach in their words."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from hub_ui.base.i18n import LANGUAGES
from tests.browser import axe
from tests.browser.layout import too_wide, unreachable
from tests.browser.places import come_to_rest

pytestmark = pytest.mark.browser
CLIPPED = """() => [...document.querySelectorAll('button, a, label, legend, th')].filter((node) =>
  node.checkVisibility() && !node.matches('.visually-hidden, .skip, [dir=auto], .hit, #filters *')
  && getComputedStyle(node).overflowX !== 'visible' && node.scrollWidth > node.clientWidth + 1
).map((node) => node.textContent.trim())"""
OTHERS = sorted(LANGUAGES.keys() - {"en", "ja"})
PAGES = ("", "settings", "train", "glossary", "about")


def faults(page: Page) -> list[str]:
    """What does not fit into the window, and what no hand can reach."""
    come_to_rest(page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*unreachable(page), *too_wide(page), *page.evaluate(CLIPPED), *([f"{wide} px"] if wide > 0 else [])]


@pytest.mark.parametrize("code", ["ja", *(pytest.param(code, marks=pytest.mark.journeys) for code in OTHERS)])
def test_everything_fits_in_the_words_of_the_language(open_page: Callable[..., Page], demo: str, code: str) -> None:
    page = open_page(locale=code, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    for name in PAGES:
        page.goto(f"{demo}{name}")
        assert page.evaluate("document.documentElement.lang") == code
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert faults(page) == [], (name, width)
        assert axe.violations(page) == [], name
