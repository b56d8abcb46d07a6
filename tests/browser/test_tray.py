"""Cards are ticked for a comparison in a real browser: over searches, without JavaScript, and up to its winner."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe, places

pytestmark = pytest.mark.browser


def tick(page: Page, title: str) -> None:
    card = page.locator(".card", has=page.get_by_role("link", name=title, exact=True))
    card.hover()
    card.get_by_role("checkbox").check()


def test_what_is_ticked_in_several_searches_is_compared_unless_it_is_unticked(demo: str, page: Page) -> None:
    page.goto(f"{demo}?q=robot")
    tick(page, "SKS Robot")
    page.get_by_role("button", name="Untick all").click()
    expect(page.locator("#tray")).to_be_hidden()
    expect(page.get_by_role("checkbox", name="Compare SKS Robot")).not_to_be_checked()
    tick(page, "SKS Robot")
    expect(page.locator("#ticked")).to_contain_text("One LoRA: tick another one")
    page.locator("#q").fill("snowfall")
    page.locator("#q").press("Enter")
    tick(page, "Snowfall")
    expect(page.locator("#ticked")).to_contain_text("2 LoRAs, one base")
    assert axe.violations(page) == []
    page.locator("#q").fill("robot")
    expect(page.get_by_role("checkbox", name="Compare SKS Robot")).to_be_checked()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile("view=try.*sheet=loras"))
    expect(page.locator("#stack .layer")).to_have_count(2)


def test_without_javascript_the_ticked_cards_of_a_page_are_compared(demo: str, open_page: Callable[..., Page]) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(f"{demo}?q=robot&ask=1")
    tick(page, "SKS Robot")
    tick(page, "sks-robot")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#stack .layer")).to_have_count(2)


def test_of_four_ticked_cards_the_winner_is_kept_and_the_proof_opens_elsewhere(
    demo: str, page: Page, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page.goto(f"{demo}?base=tiny-shapes")
    for title in ("Snowfall", "Size Slider", "SKS Robot", "top-hat-tiny"):
        tick(page, title)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Make the sheet").click()
    page.get_by_role("link", name="Judge blind").click(timeout=places.WAIT)
    choice = page.get_by_role("status")
    expect(choice).to_contain_text("Choice 1.")
    for number, key in enumerate("1201", 2):
        page.keyboard.press(key)
        expect(choice).to_contain_text(f"Choice {number}.")
    assert axe.violations(page) == []
    page.get_by_role("link", name="See the ranking").click()
    expect(page.locator(".ranking li")).to_have_count(4)
    assert axe.violations(page) == []
    with page.expect_download() as proof:
        page.get_by_role("link", name="Save the proof").click()
    proof.value.save_as(tmp_path / "proof.png")
    page.get_by_role("button", name="Keep, remove the others").click()
    expect(page.get_by_role("status").filter(has_text="3 LoRAs removed.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("form.said").get_by_role("button", name="Undo")).to_have_count(0)
    other = open_page()
    other.goto(demo)
    places.drop(other, "proof.png", (tmp_path / "proof.png").read_bytes(), "image/png")
    other.get_by_role("link", name="See the ranking").click(timeout=places.WAIT)
    expect(other.get_by_role("heading", name="Ranking · 4 blind choices")).to_be_visible()
