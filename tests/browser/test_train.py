"""The Train page in a real browser: the price before anything is sent, and the LoRA at the end."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.held_events import first_held

pytestmark = pytest.mark.browser


def zipped_images() -> FilePayload:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for i in range(3):
            image = io.BytesIO()
            Image.new("RGB", (600, 600), (i * 40, 90, 120)).save(image, "PNG")
            zipped.writestr(f"{i}.png", image.getvalue())
    return {"name": "boats.zip", "mimeType": "application/zip", "buffer": file.getvalue()}


def fill_in(page: Page, demo: str) -> None:
    page.goto(f"{demo}?view=train")
    page.locator("#train-pictures input[type=file]").set_input_files(zipped_images())
    expect(page.locator("#train-pictures").get_by_role("cell", name="boats.zip")).to_be_visible()
    page.get_by_label("Where to").fill("local/boat")
    page.get_by_label("Trigger word").fill("BOATX")


def test_a_price_is_gone_once_it_is_outdated_and_a_training_ends_with_a_lora(page: Page, demo: str) -> None:
    fill_in(page, demo)
    page.locator("#train-look").click()
    expect(page.locator("#train-said")).to_contain_text("3 images, 0 with a caption")
    expect(page.locator("#train-start")).to_be_visible()
    page.locator("#train-form").get_by_label("Rank").fill("8")
    expect(page.locator("#train-start")).to_be_hidden()
    expect(page.locator("#train-said")).not_to_contain_text("3 images")
    page.locator("#train-look").click()
    page.locator("#train-start").click()
    expect(page.locator("#train-progress")).to_contain_text("local/boat")


@pytest.mark.journeys
def test_a_training_is_not_begun_with_values_whose_price_was_not_told(page: Page, demo: str) -> None:
    fill_in(page, demo)
    with first_held(page, "BOATX"):
        page.locator("#train-look").click()
        page.locator("#train-form").get_by_label("Rank").fill("8")
    page.locator("#train-start").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("The price was for other values.")
