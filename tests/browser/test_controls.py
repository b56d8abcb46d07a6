"""The page of all controls, in both themes: what each is called and whether it can be told from its ground."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.controls import controls_html

pytestmark = pytest.mark.browser


def test_each_control_is_named_and_readable_in_both_themes(page: Page) -> None:
    page.set_content(controls_html())
    expect(page.get_by_role("region", name="dark").get_by_role("button", name="Try it")).to_be_visible()
    assert violations(page) == []
