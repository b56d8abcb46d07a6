"""Downloads in a real browser: queued in the panel, followed in the drawer, paused, resumed, then in the library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, expect

from connectors.ref import Ref
from hub_ui.demo.hubs.faults import Fault
from tests.browser.demo import Demo, whole_demo

pytestmark = pytest.mark.browser
SLOW = Fault(kind="slow", hub="delivery", bytes_per_second=50_000)
# 5.4 MB
DIAL = "civitai:122431"
LOCK = f"""version = 1

[[lora]]
ref = "{DIAL}@1224311#12243110"
title = "Detail Dial"
file = "sdxl/ohm/dial.safetensors"
size = 5400000
sha256 = "{"a" * 64}"
source = "https://civitai.com/models/122431"
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("downloads")) as running:
        yield running


@pytest.fixture
def demo(whole: Demo) -> Iterator[Demo]:
    """With nothing in its library and nothing in its queue, on hubs that work."""
    yield whole
    whole.hubs.faults.clear()
    for task in whole.services.queue.tasks():
        whole.services.queue.cancel(task.id)
    for entry in whole.services.library.entries():
        whole.services.library.remove(entry.ref)


def pull(page: Page, demo: Demo, *faults: Fault) -> None:
    """The faults begin once the panel has read the file's header."""
    page.goto(f"{demo.url}?open={DIAL}")
    expect(page.locator(".facts")).to_contain_text("the file itself")
    for fault in faults:
        demo.hubs.faults.add(fault)
    page.get_by_role("button", name="Pull").click()


def opened_drawer(page: Page) -> Locator:
    page.locator("#downloads button").click()
    expect(page.get_by_role("dialog", name="Downloads")).to_be_visible()
    return page.get_by_role("dialog", name="Downloads")


def test_from_the_panel_through_the_drawer_into_the_library(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(SLOW)
    pull(page, demo)
    expect(page.locator("#downloads .badge")).to_have_text("1")
    expect(page.locator("#pulling")).to_contain_text("of 5.4 MB")
    drawer = opened_drawer(page)
    expect(drawer.locator(".task")).to_contain_text(re.compile(r"kB/s · .* left"))
    pause = drawer.get_by_role("button", name="Pause: Detail Dial")
    pause.focus()
    # Two looks later the focus is where it was.
    page.wait_for_timeout(2500)
    expect(pause).to_be_focused()
    pause.press("Enter")
    expect(drawer.locator(".task")).to_contain_text("Paused")
    expect(page.locator("#downloads .badge")).to_have_count(0)
    demo.hubs.faults.clear()
    drawer.get_by_role("button", name="Resume: Detail Dial").click()
    expect(drawer.locator(".task")).to_contain_text("5.4 MB · in the library")
    expect(page.locator(".detail .actions")).to_contain_text("In library")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.get_by_role("link", name="Library").click()
    expect(page.locator("#shelf")).to_contain_text("Detail Dial")


@pytest.mark.journeys
def test_the_line_in_the_panel_has_room_for_its_bar_and_its_buttons(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(replace(SLOW, bytes_per_second=20_000))
    pull(page, demo)
    line = page.locator("#pulling")
    for width in (390, 820, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        expect(line.locator(".bar")).to_be_visible()
        bar = line.locator(".bar").bounding_box()
        assert bar is not None
        assert bar["width"] > 200
        for name in ("Pause", "Cancel", "All downloads"):
            button = line.get_by_role("button", name=name)
            expect(button).to_be_in_viewport(ratio=1)
            box = button.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width


def test_closing_the_page_stops_no_download(demo: Demo, page: Page) -> None:
    demo.hubs.faults.add(SLOW)
    closed = page.context.new_page()
    pull(closed, demo)
    expect(closed.locator("#downloads .badge")).to_have_text("1")
    closed.close()
    page.goto(demo.url)
    expect(page.locator("#downloads .badge")).to_have_text("1")
    assert [task.state for task in demo.services.queue.tasks()] == ["running"]


def test_what_fails_says_why_and_can_be_tried_again(demo: Demo, page: Page) -> None:
    pull(page, demo, Fault(kind="status", match="/api/download", status=404))
    drawer = opened_drawer(page)
    expect(drawer.locator(".task .error")).to_be_visible()
    demo.hubs.faults.clear()
    drawer.get_by_role("button", name="Try again: Detail Dial").click()
    expect(drawer.locator(".task")).to_contain_text("in the library")


def events(addresses: list[str]) -> int:
    return sum("/queue/" in address for address in addresses)


@pytest.mark.journeys
def test_a_page_asks_for_news_only_while_something_runs(demo: Demo, page: Page) -> None:
    asked: list[str] = []
    ended: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfinished", lambda request: ended.append(request.url))
    page.on("requestfailed", lambda request: ended.append(request.url))
    page.goto(demo.url + "?view=library")
    expect(page.locator("#library-heading h2")).to_be_visible()
    expect(page.locator(".hub.good")).to_have_count(3)
    # What it asks for when it is opened takes a while on a busy machine. An event that is under way may bring the next
    # one; until it ends, the stream of answers is open.
    for _ in range(30):
        before = len(asked)
        page.wait_for_timeout(1000)
        if len(asked) == before and events(asked) == events(ended):
            break
    asked.clear()
    page.wait_for_timeout(3000)
    assert asked == []


def test_a_lock_file_is_taken_over(demo: Demo, page: Page) -> None:
    queue, library = demo.services.queue, demo.services.library
    queue.wait(demo.services.downloads.enqueue(Ref.parse(DIAL)).id)
    lock = library.lock_text()
    library.remove(library.entries()[0].ref)
    page.goto(demo.url + "?view=library")
    page.get_by_role("button", name="Import a lock").click()
    page.get_by_label("Text of a loras.lock").fill(lock)
    page.get_by_role("button", name="See what it would bring").click()
    page.get_by_role("button", name="Download 1 file").click()
    expect(page.locator("#shelf .name a")).to_have_text("Detail Dial")
    expect(page.locator("#library-heading")).not_to_contain_text("missing")
    assert library.lock_text() == lock


@pytest.mark.journeys
def test_stop_on_the_try_page_pauses_its_own_download_and_no_other(demo: Demo, page: Page) -> None:
    # The smaller of the two has 471 kB, and has to last until the page is told to stop.
    demo.hubs.faults.add(Fault(kind="slow", hub="delivery", bytes_per_second=5_000))
    demo.services.downloads.enqueue(Ref.parse(DIAL))
    page.goto(f"{demo.url}?open=civitai:900102")
    page.get_by_role("button", name="Download & try").click()
    expect(page.locator("#progress")).to_contain_text("Downloading:")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#progress .progress")).to_have_count(0)
    drawer = opened_drawer(page)
    expect(drawer.locator(".task").filter(has_text="Zog")).to_contain_text("Paused")
    expect(drawer.locator(".task").filter(has_text="Dial")).to_contain_text("kB/s")


@pytest.mark.journeys
def test_an_uploaded_lock_file_is_shown_as_a_list_first(demo: Demo, page: Page) -> None:
    page.goto(demo.url + "?view=library")
    page.get_by_role("button", name="Import a lock").click()
    chosen = page.locator("#import input[type=file]")
    chosen.set_input_files({"name": "loras.lock", "mimeType": "text/plain", "buffer": LOCK.encode()})
    expect(page.locator("#plan")).to_contain_text("1 new, 5.4 MB.")
    page.locator("#plan").get_by_role("button", name="Cancel").click()
    expect(page.locator("#import")).to_have_count(0)
    assert demo.services.library.entries() == ()
