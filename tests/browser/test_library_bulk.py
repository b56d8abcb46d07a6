"""Many LoRAs of the library at once, in a real browser: removed, moved, undone, collected; and a file of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from connectors.ref import Ref
from hub_ui.library import lockfile
from tests.browser.demo import Demo, whole_demo
from tests.browser.journey import stop
from tests.browser.places import drop

pytestmark = pytest.mark.browser
LORAS = ("civitai:900103", "civitai:900104", "civitai:708846")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("bulk")) as running:
        yield running


@pytest.fixture
def demo(whole: Demo, page: Page) -> Iterator[Demo]:
    """Three LoRAs, one of them in two files. All files are those of the start again afterwards."""
    for ref in LORAS:
        whole.services.downloads.pull(Ref.parse(ref))
    page.goto(whole.url + "?view=library")
    expect(page.locator("#shelf .row")).to_have_count(3)
    yield whole
    for entry in whole.services.library.entries():
        whole.services.library.remove(entry.ref)
    whole.services.changes.empty()


def choose(page: Page, *titles: str) -> None:
    for number, title in enumerate(titles, 1):
        page.get_by_role("checkbox", name=f"Select {title}").click()
        expect(page.locator(".selection b")).to_have_text(f"{number} chosen")


def test_a_pair_and_another_are_removed_and_come_back(demo: Demo, page: Page) -> None:
    before = demo.services.library.lock_text()
    choose(page, "Night Bus, Wet Street", "Snowfall")
    page.locator(".selection").get_by_role("button", name="Remove").click()
    expect(page.locator("#shelf .row")).to_have_count(1)
    expect(page.locator(".bulk-panel .said")).to_contain_text("3 LoRAs removed.")
    page.locator(".bulk-panel").get_by_role("button", name="Undo").click()
    expect(page.locator("#shelf .row")).to_have_count(3)
    assert demo.services.library.lock_text() == before


def test_files_are_moved_after_a_dry_run_and_moved_back(demo: Demo, page: Page) -> None:
    choose(page, "Snowfall")
    page.locator(".selection").get_by_role("button", name="Move…").click()
    field = page.get_by_label("Template")
    field.fill("{hub}/{title}")
    field.press("Enter")
    expect(page.locator(".bulk-panel .plan")).to_contain_text("civitai/Snowfall.safetensors")
    moved = demo.services.library.folder / "civitai" / "Snowfall.safetensors"
    assert not moved.exists()
    page.get_by_role("button", name="Move 1 file").click()
    expect(page.locator(".bulk-panel .said")).to_contain_text("1 file moved.")
    assert moved.exists()
    page.locator(".bulk-panel").get_by_role("button", name="Undo").click()
    expect(page.locator(".bulk-panel .said")).to_have_text("Undone.")
    assert not moved.exists()


@pytest.mark.journeys
def test_a_collection_downloads_as_the_lock_file_of_its_loras(demo: Demo, journey: Page) -> None:
    journey.goto(demo.url + "?view=library")
    choose(journey, "Snowfall", "SKS Robot")
    stop(journey)
    journey.locator(".selection summary").click()
    journey.get_by_placeholder("Name of a collection").fill("Night & day")
    journey.get_by_placeholder("Name of a collection").press("Enter")
    expect(journey.locator(".bulk-panel")).to_contain_text("“Night & day” has 2 LoRAs now.")
    journey.locator(".bulk-panel").get_by_role("button", name="Show", exact=True).click()
    expect(journey.locator("#shelf .row")).to_have_count(2)
    with journey.expect_download() as download:
        journey.locator(".bulk-panel").get_by_role("button", name="Export a lock").click()
    chosen = [entry for entry in demo.services.library.entries() if entry.title in ("Snowfall", "SKS Robot")]
    assert Path(download.value.path()).read_bytes() == lockfile.dumps(chosen).encode()
    demo.services.collections.delete("Night & day")


def test_a_file_that_is_dropped_is_shown_kept_and_tried(demo: Demo, page: Page) -> None:
    [entry] = [one for one in demo.services.library.entries() if one.title == "Snowfall"]
    data = demo.services.library.path(entry).read_bytes()
    demo.services.library.remove(entry.ref)
    # An edited copy of what the catalog knows: nothing but its metadata differs, so no hub has these very bytes.
    header = int.from_bytes(data[:8], "little")
    data = (header + 8).to_bytes(8, "little") + data[8 : 8 + header] + b" " * 8 + data[8 + header :]
    drop(page, "my snow & ice.safetensors", data)
    panel = page.locator(".own-file")
    expect(panel).to_contain_text("my snow & ice.safetensors")
    expect(panel).to_contain_text("Its weights are on a hub, with other metadata.")
    expect(panel.locator(".facts")).to_contain_text("Rank")
    panel.get_by_role("button", name="Keep in the library").click()
    expect(panel).to_contain_text("It is in your library")
    expect(page.locator("#shelf .row")).to_have_count(3)
    panel.get_by_role("button", name="Try").click()
    expect(page.locator("#page-try")).to_contain_text("Snowfall")


@pytest.mark.journeys
def test_a_pickle_in_disguise_is_refused_in_a_sentence(demo: Demo, page: Page) -> None:
    drop(page, "x.safetensors", b"\x80\x04\x95" + b"a" * 200)
    expect(page.locator(".own-file .problem")).to_contain_text("This is a Python pickle")
    page.locator(".own-file").get_by_role("button", name="Close").click()
    expect(page.locator(".own-file")).to_have_count(0)
    assert demo.services.own_files.entries() == ()
