"""What the watched page of the other tests is held to, and what not."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watch
from tests.browser.demo import Demo, whole_demo
from tests.faults import Fault

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with whole_demo(tmp_path_factory.mktemp("watch")) as running:
        running.hubs.faults.add(Fault(kind="latency", hub="civitai", match="/api/v1/models", seconds=3600.0))
        yield running


@pytest.fixture
def watched(browser: Browser) -> Iterator[tuple[Page, Watch]]:
    watch, context = Watch(), browser.new_context()
    watch.over(context)
    yield context.new_page(), watch
    context.close()


@pytest.mark.journeys
def test_a_page_may_be_left_in_the_middle_of_an_answer(slow: Demo, watched: tuple[Page, Watch]) -> None:
    page, watch = watched
    for _ in range(2):
        page.goto(slow.url)
        expect(page.locator("#next")).to_contain_text("Asking CivitAI…")
    assert watch.faults == []


def test_an_error_of_a_page_that_is_there_is_a_fault(slow: Demo, watched: tuple[Page, Watch]) -> None:
    page, watch = watched
    page.goto(slow.url)
    page.evaluate("console.error('no such thing')")
    assert watch.faults == ["console: no such thing"]
