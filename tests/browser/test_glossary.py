"""Words of the glossary in a real browser: what they mean is one hover, focus or tap away, and never cut off."""

from __future__ import annotations

import re
from itertools import product

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import axe

pytestmark = pytest.mark.browser
LORA = "huggingface:shapeworks/ink-outline-tiny"
NOTE = "#term-note"


def term(page: Page, name: str) -> Locator:
    return page.locator(".detail .term").filter(has_text=re.compile(f"^{name}$"))


def opened(page: Page, demo: str) -> None:
    page.goto(f"{demo}?open={LORA}")
    expect(term(page, "Text encoder")).to_be_visible()


def test_a_word_says_what_it_means_when_it_is_pointed_at(page: Page, demo: str) -> None:
    opened(page, demo)
    term(page, "Rank").hover()
    expect(page.locator(NOTE)).to_contain_text("How much a LoRA can hold, from 4 to 128")
    # The way to the link in the note does not close it.
    page.locator(f"{NOTE} a").hover()
    page.wait_for_timeout(500)
    expect(page.locator(NOTE)).to_be_visible()
    page.locator(".detail h2").hover()
    expect(page.locator(NOTE)).to_be_hidden()


@pytest.mark.journeys
def test_it_says_so_to_a_keyboard_and_escape_closes_nothing_else(page: Page, demo: str) -> None:
    opened(page, demo)
    term(page, "Architecture").focus()
    page.keyboard.press("Tab")
    expect(page.locator(NOTE)).to_contain_text("The large model that a LoRA was trained on")
    expect(term(page, "Base model")).to_have_attribute("aria-describedby", "term-note")
    assert axe.violations(page) == []
    page.keyboard.press("Enter")
    expect(page.locator(f"{NOTE} a")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(NOTE)).to_be_hidden()
    expect(term(page, "Base model")).to_be_focused()
    expect(page.locator(".detail")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".detail")).to_have_count(0)


# As Gradio does it, node by node: what the new text does not have goes away, and all words move by one place.
UPDATE = """() => {
  const terms = [...document.querySelectorAll('.detail .term')];
  const texts = terms.map(({textContent, dataset}) => ({textContent, ...dataset}));
  terms.slice(1).forEach((node, index) => {
    node.removeAttribute('aria-describedby');
    node.removeAttribute('aria-expanded');
    const {textContent, ...data} = texts[index];
    node.textContent = textContent;
    Object.assign(node.dataset, data);
  });
  terms[0].remove();
}"""


@pytest.mark.journeys
def test_it_stays_with_its_word_when_the_panel_is_updated(page: Page, demo: str) -> None:
    opened(page, demo)
    term(page, "Rank").click()
    page.evaluate(UPDATE)
    expect(term(page, "Rank")).to_have_attribute("aria-describedby", "term-note")
    expect(page.locator("[aria-describedby=term-note]")).to_have_count(1)
    expect(page.locator(NOTE)).to_contain_text("How much a LoRA can hold")


@pytest.mark.journeys
def test_it_goes_away_when_its_word_moves_and_not_by_any_scroll(page: Page, demo: str) -> None:
    opened(page, demo)
    term(page, "Rank").click()
    page.evaluate("document.querySelector('#detail').dispatchEvent(new Event('scroll'))")
    expect(page.locator(NOTE)).to_be_visible()
    page.evaluate("document.querySelector('#detail').scrollTop = 200")
    expect(page.locator(NOTE)).to_be_hidden()


def test_on_a_tap_it_is_whole_on_the_screen(browser: Browser, demo: str) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 844}, has_touch=True)
    page = context.new_page()
    opened(page, demo)
    for width, name in product((1440, 1024, 390), ("Trigger words", "Rank", "Tensors")):
        page.set_viewport_size({"width": width, "height": 844})
        term(page, name).tap()
        expect(term(page, name)).to_have_attribute("aria-expanded", "true")
        box = page.locator(NOTE).bounding_box()
        assert box is not None
        assert (box["x"] >= 0, box["y"] >= 0) == (True, True)
        assert (box["x"] + box["width"] <= width, box["y"] + box["height"] <= 844) == (True, True)
        term(page, name).tap()
        expect(page.locator(NOTE)).to_be_hidden()
    context.close()


@pytest.mark.journeys
def test_the_whole_glossary_is_one_click_further(page: Page, demo: str) -> None:
    opened(page, demo)
    term(page, "Alpha").click()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="More in the glossary").click()
    expect(popup.value).to_have_url(re.compile("/glossary#alpha$"))
    expect(popup.value.get_by_role("heading", name="Alpha")).to_be_in_viewport()
    assert axe.violations(popup.value) == []
