"""What the page says of hubs that fail, in a real browser: since when, for how long, and how to ask again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from connectors.registry import HUBS
from hub_ui.demo.hubs.faults import Fault
from tests.browser.demo import Demo, whole_demo

pytestmark = pytest.mark.browser
RANK = re.compile(r"^r\d")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("status")) as running:
        yield running


@pytest.fixture
def demo(whole: Demo) -> Iterator[Demo]:
    yield whole
    whole.hubs.faults.clear()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Demo]:
    """Of whose files none has been read."""
    with whole_demo(tmp_path) as running:
        yield running


def test_a_hub_that_is_down_says_since_when_and_is_asked_again_in_place(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(Fault(kind="status", hub="civitai", match="/api/v1/models"))
    page.goto(demo.url + "?sort=downloads")
    expect(page.locator(".hub.good")).to_have_count(2)
    expect(page.locator(".hub.down .said")).to_have_text(re.compile(r"^down since \d\d:\d\d( [AP]M)?$"))
    expect(page.locator(".more")).to_contain_text("Ask CivitAI again")
    demo.hubs.faults.clear()
    page.get_by_role("button", name="Retry CivitAI").click()
    expect(page.locator(".hub.good")).to_have_count(3)
    expect(page.locator(".facets .option[data-value=civitai] b")).not_to_have_text("0")
    expect(page.locator(".more")).not_to_contain_text("again")


@pytest.mark.journeys
def test_a_hub_that_is_asked_too_often_counts_down_and_is_asked_again_by_itself(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(Fault(kind="status", status=429, retry_after=600, hub="civitai", match="/api/v1/models"))
    page.clock.install()
    page.goto(demo.url)
    expect(page.locator(".hub.down .said")).to_have_text(re.compile(r"^asks again in 5\d\d s$"))
    demo.hubs.faults.clear()
    page.clock.fast_forward(700_000)
    expect(page.locator(".hub.good")).to_have_count(3)


@pytest.mark.journeys
def test_a_second_enter_does_not_end_the_search_of_the_first(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(Fault(kind="latency", hub="civitai", match="/api/v1/models", seconds=3600.0))
    page.goto(demo.url)
    expect(page.locator(".hub.good")).to_have_count(2)
    with page.expect_response("**/queue/join*"):
        page.get_by_role("combobox", name="Search", exact=True).press("Enter")
    demo.hubs.faults.clear()
    expect(page.locator(".hub.good")).to_have_count(3)


# Whether a hub that had answered is asked again.
WATCH_HUBS = """() => new MutationObserver(() => {
  if (document.querySelector('#hubs .hub.asked')) { window.isAskedAgain = true; }
}).observe(document.querySelector('#hubs'), { childList: true, subtree: true, attributes: true })"""


def test_headers_that_were_read_while_a_hub_was_asked_take_back_nothing_of_its_answer(fresh: Demo, page: Page) -> None:
    fresh.hubs.faults.add(Fault(kind="latency", hub="civitai", match="/api/v1/models", seconds=3600.0))
    reading = Fault(kind="latency", hub="huggingface", match=r"/resolve/.*\.safetensors", seconds=3600.0, times=1)
    fresh.hubs.faults.add(reading, replace(reading, times=None))
    page.goto(fresh.url)
    expect(page.locator(".hub.good")).to_have_count(2)
    page.locator(".card .hit[data-ref^=replicate]").first.click()
    expect(page.locator(".detail h2")).to_be_visible()
    for _ in range(300):
        if reading not in fresh.hubs.faults.coming():
            break
        page.wait_for_timeout(100)
    assert reading not in fresh.hubs.faults.coming()
    fresh.hubs.faults.clear("civitai")
    expect(page.locator(".hub.good")).to_have_count(3)
    page.evaluate(WATCH_HUBS)
    fresh.hubs.faults.clear("huggingface")
    read = page.locator(".card", has=page.locator(".hit[data-ref^=huggingface]")).locator(".figures", has_text=RANK)
    expect(read.first).to_be_visible()
    expect(page.locator(".hub.good")).to_have_count(3)
    assert page.evaluate("window.isAskedAgain") is None


@pytest.mark.journeys
def test_three_hubs_that_are_down_find_room_in_the_header(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(*(Fault(kind="status", status=503, hub=hub) for hub in HUBS))
    page.goto(demo.url)
    expect(page.locator(".hub.down")).to_have_count(3)
    for width in (1440, 1361, 1101, 961, 821, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        expect(page.get_by_role("button", name="Retry Replicate")).to_be_in_viewport(ratio=1)
