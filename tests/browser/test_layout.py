"""What the tests of pages measure with: layout, and what a watched page is held to. And each control by itself."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Watch
from tests.browser.layout import (
    COUNT_SHIFTS,
    assert_still,
    beyond_the_window,
    overlaps,
    squeezed,
    too_wide,
    unreachable,
)
from tests.browser.shots import controls_html
from tests.faults import Fault
from tests.hub_ui.web.raw import Visitor

pytestmark = pytest.mark.browser
BOXES = """<main id="main"><div id="gap"></div><p class="moved" style="height: 100px; background: teal"></p></main>
<style>body, p { margin: 0 }</style>
<script>
const move = () => { document.getElementById('gap').style.height = '300px'; };
</script>"""


def test_what_moved_since_the_last_look_is_named_with_its_places(page: Page) -> None:
    page.set_content(f"<script>{COUNT_SHIFTS}</script>{BOXES}")
    assert_still(page, 0.01)
    page.evaluate("move()")
    page.wait_for_function("shifts.length")
    with pytest.raises(AssertionError, match=r"shifted by 0\.04\d+, and may by 0\.03") as raised:
        assert_still(page, 0.03)
    assert "main#main > p.moved from 0,0 1440×100 to 0,300 1440×100" in str(raised.value)
    assert_still(page, 0.01)


def test_what_no_hand_can_reach_is_named(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_content("""
      <button>here</button><button style="position: absolute; left: 380px">beside</button>
      <button style="position: absolute; left: 20px; top: 200px">below</button>
      <p id="lid" style="position: absolute; left: 0; top: 150px; width: 200px; height: 100px; background: red"></p>
      <div style="width: 100px; overflow: auto; height: 90px" id="box"><p style="width: 150px">long</p></div>""")
    faults = unreachable(page)
    assert [fault.split(":")[0] for fault in faults] == ["beside", "below"]
    assert faults[1] == "below: is covered by lid"
    assert too_wide(page) == ["box"]


def test_what_lies_upon_another_and_what_is_beside_the_window_is_named(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_content("""
      <div class="card"><p style="margin: 0">one</p><p style="margin: -10px 0 0">two</p><p>apart</p>
      <p style="overflow: hidden; width: 50px; white-space: nowrap">cut off where its box ends</p></div>
      <p style="white-space: nowrap">beside the window because it is longer than the window is wide</p>""")
    assert overlaps(page, ".card") == ["P: one | P: two"]
    assert squeezed(page) == []
    assert beyond_the_window(page) == ["P: beside the window because it is longer t"]


def test_each_control_is_named_and_readable_in_both_themes(page: Page) -> None:
    page.set_content(controls_html())
    expect(page.get_by_role("region", name="dark").get_by_role("button", name="Try it")).to_be_visible()
    assert violations(page) == []


@pytest.mark.journeys
def test_a_page_may_be_left_in_the_middle_of_an_answer(fresh: Visitor, page: Page) -> None:
    fresh.faults.add(Fault(kind="latency", hub="civitai", match="/api/v1/models", seconds=3600.0))
    for _ in range(2):
        page.goto(fresh.url)
        expect(page.locator("#next")).to_contain_text("Asking CivitAI…")


def test_an_error_of_a_page_that_is_there_is_a_fault(browser: Browser) -> None:
    watch, context = Watch(), browser.new_context()
    watch.over(context)
    context.new_page().evaluate("console.error('no such thing')")
    context.close()
    assert watch.faults == ["console: no such thing"]
