"""The address bar and the browser's history: each click is one step, however late the server answers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.held_events import first_held

pytestmark = [pytest.mark.browser, pytest.mark.journeys]
# The event that writes the header, as Gradio names it.
HEADER = """() => {
  const nav = window.gradio_config.components.find((each) => each.props.elem_id === 'nav').id;
  return window.gradio_config.dependencies.find((each) => each.outputs.includes(nav)).id;
}"""


def test_the_first_click_is_a_step_of_its_own_where_the_header_comes_late(page: Page, demo: str) -> None:
    page.goto(demo)
    number = page.evaluate(HEADER)
    page.goto("about:blank")
    with first_held(page, f'"fn_index":{number},'):
        page.goto(demo)
        page.locator("#grid .card .hit").first.click()
        expect(page.locator(".detail .actions")).to_be_visible()
    expect(page).to_have_url(re.compile("open="))
    page.go_back()
    expect(page).to_have_url(demo)
    expect(page.locator(".detail")).to_have_count(0)
