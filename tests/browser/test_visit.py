"""A visit to a hosted page in a real browser: what is downloaded, listed and limited is this visitor's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from playwright.sync_api import Browser, Download, Locator, Page, expect

from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.hosting.cookie import COOKIE
from hub_ui.hosting.limits import Limits
from hub_ui.library import lockfile
from tests.browser.demo import Demo, served_demo
from tests.browser.journey import stop
from tests.browser.places import come_to_rest

pytestmark = pytest.mark.browser
OPEN, EARLY = "huggingface:shapeworks/ink-outline-tiny", "civitai:731905"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("visit")
    copytree(SAMPLES, folder / "data", dirs_exist_ok=True)
    (folder / "data" / "access.json").write_text(json.dumps({"grants": {"civitai_granted": ["731905"]}}))
    with served_demo(folder, hosted=True, limits=Limits(images_per_hour=1)) as running:
        yield running


def file_link(page: Page) -> Locator:
    return page.locator(".detail .actions a")


def download(page: Page, link: Locator) -> Download:
    with page.expect_download() as found:
        link.click()
    return found.value


@pytest.mark.journeys
def test_an_open_file_comes_from_its_hub_and_is_the_one_that_is_shown(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={OPEN}")
    link = file_link(page)
    expect(link).to_have_text("Download")
    assert str(link.get_attribute("href")).startswith(f"{demo.hubs.huggingface}/shapeworks/ink-outline-tiny/resolve/")
    come_to_rest(page)
    assert download(page, link).suggested_filename == "ink-outline.safetensors"


def test_a_file_that_only_a_key_opens_comes_through_the_page_once_there_is_one(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={EARLY}")
    expect(page.locator(".detail .obstacle")).to_be_visible()
    expect(page.get_by_role("button", name="Download", exact=True)).to_be_disabled()
    cookie = next(each["value"] for each in page.context.cookies() if each["name"] == COOKIE)
    demo.services.visitors.get(cookie).put_key("civitai", "civitai_granted")
    page.goto(f"{demo.url}?open={EARLY}")
    link = file_link(page)
    expect(link).to_have_text("Download")
    assert str(link.get_attribute("href")).startswith("visit/file?ref=civitai%3A731905%40")
    come_to_rest(page)
    data = Path(download(page, link).path()).read_bytes()
    assert data[8:9] == b"{"
    assert "civitai_granted" not in page.content()


def test_what_is_added_is_listed_for_this_visitor_and_goes_home_as_a_lock(
    demo: Demo, journey: Page, browser: Browser
) -> None:
    page = journey
    page.goto(f"{demo.url}?open={OPEN}")
    page.locator(".detail").get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".detail").get_by_role("button", name="In library")).to_be_disabled()
    page.get_by_role("link", name="Library").click()
    expect(page.locator(".visit-row")).to_have_count(1)
    stop(page)
    lock = lockfile.loads(Path(download(page, page.get_by_role("link", name="Download lock")).path()).read_text())
    assert [entry.ref.id for entry in lock] == ["shapeworks/ink-outline-tiny"]
    with browser.new_context() as other:
        theirs = other.new_page()
        theirs.goto(f"{demo.url}?view=library")
        expect(theirs.locator("#visit")).to_contain_text("Nothing yet in this visit.")
        theirs.close()
    page.get_by_role("button", name="Remove ink-outline-tiny").click()
    expect(page.locator(".visit-row")).to_have_count(0)


@pytest.mark.journeys
def test_the_limit_of_images_is_said_in_a_sentence(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}?open={OPEN}")
    page.get_by_role("button", name="Download & try").first.click()
    expect(page.locator(".toast-body")).to_contain_text("1 image an hour a person.")
    expect(page.locator(".toast-body")).to_contain_text("Run hub-ui on your own computer to have it for yourself.")
