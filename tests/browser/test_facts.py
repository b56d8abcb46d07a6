"""What the files themselves say, in a real browser: on cards after a moment, in the panel with both sides told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_a_file_that_contradicts_its_hub_is_flagged_on_its_card_and_told_in_its_panel(demo: str, page: Page) -> None:
    page.goto(demo + "?q=paper+theatre")
    card = page.locator(".card", has_text="Paper Theatre")
    expect(card.locator(".flag")).to_have_text("file says FLUX.1")
    expect(card.locator(".figures")).to_contain_text("r4")
    card.locator(".hit").click()
    architecture = page.locator(".facts tr", has_text="Architecture")
    expect(architecture).to_contain_text("FLUX.1")
    expect(architecture).to_contain_text("CivitAI says SDXL 1.0")
    expect(architecture.locator(".source")).to_have_text("the file itself")


@pytest.mark.journeys
def test_the_files_of_a_short_list_are_read_though_it_is_gone_on_with_at_once(demo: str, page: Page) -> None:
    page.goto(demo + "?base=sdxl&base=flux1")
    expect(page.locator(".card", has_text="Paper Theatre").locator(".flag")).to_have_text("file says FLUX.1")


@pytest.mark.journeys
def test_a_language_models_lora_is_refused_with_what_it_is(demo: str, page: Page) -> None:
    page.goto(demo + "?open=huggingface:plainspoken/recipe-rewriter-lora")
    expect(page.locator(".detail .obstacle")).to_contain_text("a LoRA for a language model")
    expect(page.get_by_role("button", name="Download & try")).to_be_disabled()


def test_ranks_arrive_without_moving_the_page_or_taking_the_focus(demo: str, page: Page) -> None:
    page.goto(demo + "?hub=huggingface")
    last = page.locator(".card .hit").last
    expect(page.locator(".hub.good")).to_have_count(1)
    last.focus()
    page.evaluate("scrollTo(0, 300)")
    expect(page.locator(".card .figures", has_text=re.compile(r"^r\d+")).first).to_be_visible()
    expect(last).to_be_focused()
    assert page.evaluate("scrollY") == 300


@pytest.mark.journeys
def test_opening_a_card_changes_nothing_in_the_list(demo: str, page: Page) -> None:
    page.goto(demo + "?hub=civitai")
    expect(page.locator(".hub.good")).to_have_count(1)
    expect(page.locator(".more [data-act=more]")).to_have_count(0)
    expect(page.locator(".more")).to_have_text(re.compile("The end of the list|more"))
    shown = page.locator(".card .hit").count()
    page.locator(".card .hit").first.click()
    expect(page.locator(".facts")).to_contain_text("the file itself")
    assert page.locator(".card .hit").count() == shown
