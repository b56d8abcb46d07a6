"""Every page, in both themes and at the widths of a phone, a small and a large screen: what keeps people out of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import axe
from tests.browser.layout import outside
from tests.browser.places import PLACES, come_to_rest

pytestmark = pytest.mark.browser


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


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(place: Page, width: int, theme: str) -> None:
    resize(place, width)
    place.evaluate("(dark) => document.body.classList.toggle('dark', dark)", theme == "dark")
    assert axe.violations(place, colours_only=theme == "dark") == []


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_control_lies_outside_the_viewport(place: Page, width: int) -> None:
    resize(place, width)
    assert outside(place) == []
    assert place.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
