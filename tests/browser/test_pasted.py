"""What names one LoRA, pasted or typed into the search box of a page, then Enter."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import places

pytestmark = pytest.mark.browser
ROBOT, HAT = ("SKS Robot", "civitai%3A900103"), ("top-hat", "huggingface%3Ahatbox%2Ftop-hat-tiny")
HARBOUR = ("fog-harbour", "replicate%3Apearlgrey%2Ffog-harbour")
KINDS = {
    "civitai:900103": ROBOT,
    "https://civitai.com/models/900103?modelVersionId=9001032": ROBOT,
    "67A4541B0C": ROBOT,
    "hatbox/top-hat-tiny": HAT,
    "https://huggingface.co/hatbox/top-hat-tiny/tree/main": HAT,
    "top-hat.safetensors": HAT,
    "<lora:top-hat:0.8>": HAT,
    "urn:air:other:lora:civitai:900103@9001031": ROBOT,
    "hf download hatbox/top-hat-tiny top-hat.safetensors": HAT,
    "https://replicate.com/pearlgrey/fog-harbour": HARBOUR,
}


def paste(page: Page, text: str) -> None:
    """One input event, as a paste is; Enter comes before its answer."""
    page.locator("#q").focus()
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def type_in(page: Page, text: str) -> None:
    page.locator("#q").press_sequentially(text)
    places.come_to_rest(page)
    page.keyboard.press("Enter")


def expect_open(page: Page, title: str, ref: str) -> None:
    expect(page.locator("#panel h2").first).to_contain_text(title)
    expect(page).to_have_url(re.compile(rf"/\?open={ref}"))
    expect(page.locator("#q")).to_have_value("")
    expect(page.locator(".card .hit").first).to_be_visible()


@pytest.mark.parametrize("enter", [paste, type_in])
@pytest.mark.parametrize("text", KINDS)
def test_name_of_a_lora_opens_it_on_browse(
    demo: str, page: Page, enter: Callable[[Page, str], None], text: str
) -> None:
    places.browse(page, demo)
    enter(page, text)
    expect_open(page, *KINDS[text])
    page.go_back()
    expect(page.locator("#panel .lora")).to_have_count(0)
    expect(page).to_have_url(demo)


@pytest.mark.parametrize("path", ["library", "try", "settings", "downloads", "news", "train", "glossary", "about"])
def test_pasted_address_opens_its_lora_from_each_page(demo: str, page: Page, path: str) -> None:
    places.browse(page, demo)
    page.goto(f"{demo}{path}")
    paste(page, "https://huggingface.co/hatbox/top-hat-tiny")
    expect_open(page, *HAT)
    page.go_back()
    expect(page).to_have_url(f"{demo}{path}")


def test_tag_that_nobody_has_seen_is_searched_for_on_browse(demo: str, page: Page) -> None:
    places.browse(page, demo)
    paste(page, "<lora:nobodys_robot:0.8>")
    expect(page).to_have_url(f"{demo}?q=nobodys+robot")
    expect(page.locator("#q")).to_have_value("nobodys robot")
