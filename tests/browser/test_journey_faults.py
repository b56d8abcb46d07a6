"""Journeys that something gets in the way of: a closed tab, hubs that are down, no network at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from playwright.sync_api import Page, expect

from hub_ui import app, services
from hub_ui.commands.demo import demo_settings
from hub_ui.demo.hubs.faults import Fault
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from tests.browser.demo import Demo, whole_demo
from tests.browser.journey import stop

pytestmark = pytest.mark.browser
LABELS = {"civitai": "CivitAI", "huggingface": "Hugging Face", "replicate": "Replicate"}
# 5.4 MB
DIAL = "civitai:122431"
# On the screen: which others a browser has loaded differs from one visit to the next.
LOADED = """() => [...document.querySelectorAll('.card img')].filter((image) =>
  image.getBoundingClientRect().top < innerHeight && image.naturalWidth > 1).length"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture
def demo(whole: Demo) -> Iterator[Demo]:
    yield whole
    whole.hubs.faults.clear()


@pytest.mark.parametrize(
    "hub", ["civitai", *(pytest.param(hub, marks=pytest.mark.journeys) for hub in ("huggingface", "replicate"))]
)
def test_while_one_hub_is_down_the_others_are_searched_and_it_says_so(demo: Demo, journey: Page, hub: str) -> None:
    demo.hubs.faults.add(Fault(kind="status", status=503, hub=hub))
    journey.goto(demo.url)
    expect(journey.locator(".hub.good")).to_have_count(2)
    expect(journey.locator(".hub.down")).to_contain_text(LABELS[hub])
    expect(journey.locator(".card .hit").first).to_be_visible()
    stop(journey)


@pytest.mark.journeys
def test_a_filter_that_is_chosen_while_hubs_still_answer_counts(demo: Demo, journey: Page) -> None:
    journey.goto(demo.url)
    expect(journey.locator(".hub.good")).to_have_count(3)
    demo.hubs.faults.add(Fault(kind="latency", hub="civitai", seconds=2.0))
    for number, name in enumerate(("Style", "Tool", "Concept"), 1):
        journey.get_by_role("group", name="Kind").get_by_role("checkbox", name=name).click()
        expect(journey.locator(".sentence .part")).to_have_count(number)


def test_a_download_goes_on_where_it_was_when_the_tab_was_closed(demo: Demo, journey: Page) -> None:
    closed = journey.context.new_page()
    closed.goto(f"{demo.url}?open={DIAL}")
    expect(closed.locator(".facts")).to_contain_text("the file itself")
    stop(closed)
    demo.hubs.faults.add(Fault(kind="slow", hub="delivery", bytes_per_second=50_000))
    closed.get_by_role("button", name="Pull").click()
    expect(closed.locator("#pulling")).to_contain_text("of 5.4 MB")
    closed.close()
    journey.goto(demo.url)
    journey.locator("#downloads button").click()
    task = journey.get_by_role("dialog", name="Downloads").locator(".task")
    task.get_by_role("button", name="Pause: Detail Dial").click()
    expect(task).to_contain_text("Paused")
    stop(journey)
    demo.hubs.faults.clear()
    task.get_by_role("button", name="Resume: Detail Dial").click()
    expect(task).to_contain_text("5.4 MB · in the library")


@pytest.fixture
def page_and_hubs(tmp_path: Path) -> Iterator[tuple[str, ExitStack]]:
    """The address of a page, and its hubs, which can be closed. The page is there until no browser has it open."""
    copytree(SAMPLES, tmp_path / "data", dirs_exist_ok=True)
    with ExitStack() as stack, ExitStack() as hubs:
        endpoints = hubs.enter_context(running_hubs(tmp_path / "data"))
        chosen = replace(demo_settings(tmp_path / "home", tmp_path / "loras", endpoints), read_headers=False)
        yield stack.enter_context(app.serving(stack.enter_context(services.build(chosen)))), hubs


@pytest.mark.journeys
def test_without_any_hub_the_list_and_its_images_are_still_there(
    page_and_hubs: tuple[str, ExitStack], journey: Page
) -> None:
    url, hubs = page_and_hubs
    first = journey.context.new_page()
    first.goto(url)
    expect(first.locator(".hub.good")).to_have_count(3)
    # Of hubs that answered late, some waits behind a line. From here on the list is what the catalog has.
    first.reload()
    expect(first.locator(".hub.good")).to_have_count(3)
    expect(first.locator(".card.ghost")).to_have_count(0)
    stop(first)
    seen = first.evaluate(LOADED)
    assert seen
    titles = first.locator(".card .title").all_inner_texts()
    first.close()
    hubs.close()
    journey.goto(url)
    expect(journey.locator(".hub.down")).to_have_count(3)
    expect(journey.locator(".news .note")).to_contain_text("No hub answers")
    assert sorted(journey.locator(".card .title").all_inner_texts())[:5] == sorted(titles)[:5]
    journey.wait_for_function(f"(least) => ({LOADED})() >= least", arg=seen)
    stop(journey)
