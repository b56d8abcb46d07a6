"""Journeys that something gets in the way of: a hub that is down, a closed tab, no network at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser import places
from tests.browser.journey import stop
from tests.faults import Fault
from tests.hub_ui.web.raw import Visitor, served

pytestmark = pytest.mark.browser
# 5.4 MB
DIAL = "civitai:122431"
# On the screen: which others a browser has loaded differs from one visit to the next.
LOADED = """() => [...document.querySelectorAll('.card img')].filter((image) =>
  image.getBoundingClientRect().top < innerHeight && image.naturalWidth > 1).length"""


@pytest.fixture
def demo(whole: Visitor) -> Iterator[Visitor]:
    yield whole
    whole.faults.clear()


def test_while_a_hub_is_down_it_says_so_in_its_place_until_it_is_asked_again(demo: Visitor, journey: Page) -> None:
    demo.faults.add(Fault(kind="status", status=503, hub="civitai"))
    places.browse(journey, demo.url)
    expect(journey.locator("#hubs .dot.good")).to_have_count(2)
    expect(journey.locator("#hubs")).to_contain_text("CivitAI: no answer")
    stop(journey)
    demo.faults.clear()
    journey.locator("#hubs-menu > summary").click()
    expect(journey.locator("#hubs-list li.down")).to_contain_text("CivitAI")
    stop(journey)
    journey.locator("#hubs-list").get_by_role("button", name="Ask again").click()
    expect(journey.locator("#hubs .dot.good")).to_have_count(3)


@pytest.mark.journeys
def test_a_download_goes_on_where_it_was_when_the_tab_was_closed(demo: Visitor, journey: Page) -> None:
    closed = journey.context.new_page()
    closed.goto(f"{demo.url}?open={DIAL}")
    demo.faults.add(Fault(kind="slow", hub="delivery", bytes_per_second=50_000))
    closed.locator("#panel").get_by_role("button", name="Download", exact=True).click()
    expect(closed.locator("#panel .coming")).to_contain_text("of 5.4 MB")
    closed.close()
    journey.goto(demo.url)
    journey.locator("#downloads").click()
    task = journey.get_by_role("region", name="Downloads").locator(".tasks li")
    task.get_by_role("button", name="Pause: Detail Dial").click()
    expect(task).to_contain_text("Paused")
    stop(journey)
    demo.faults.clear()
    task.get_by_role("button", name="Resume: Detail Dial").click()
    expect(task).to_contain_text("5.4 MB · in the library")


@pytest.fixture
def forgetful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitor]:
    """A demo that asks its hubs each time."""
    monkeypatch.setattr("hub_ui.app.services.ANSWER_SECONDS", 0.0)
    with served(tmp_path, data=SAMPLES, read_headers=False) as running:
        yield running


@pytest.mark.journeys
def test_without_any_hub_the_list_and_its_images_are_still_there(forgetful: Visitor, journey: Page) -> None:
    first = journey.context.new_page()
    places.browse(first, forgetful.url)
    seen = first.evaluate(LOADED)
    assert seen
    titles = first.locator(".card .hit").all_inner_texts()
    first.close()
    forgetful.faults.add(Fault(kind="status", status=503))
    places.browse(journey, forgetful.url)
    expect(journey.locator("#hubs .dot.down")).to_have_count(3)
    expect(journey.locator("#news")).to_contain_text("No hub answers")
    assert sorted(journey.locator(".card .hit").all_inner_texts())[:5] == sorted(titles)[:5]
    journey.wait_for_function(f"(least) => ({LOADED})() >= least", arg=seen)
    stop(journey)
