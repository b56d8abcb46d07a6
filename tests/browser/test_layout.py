"""What the measure of layout shifts says of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.layout import COUNT_SHIFTS, assert_still

pytestmark = pytest.mark.browser
BOXES = """<main id="main"><div id="gap"></div><p class="moved" style="height: 100px; background: teal"></p></main>
<style>body, p { margin: 0 }</style>
<script>
const move = () => { document.getElementById('gap').style.height = '300px'; };
const wait = (milliseconds) => { const end = performance.now() + milliseconds; while (performance.now() < end); };
const afterFrames = (left, milliseconds, act) => requestAnimationFrame(() => {
  wait(milliseconds);
  if (left) { afterFrames(left - 1, milliseconds, act); } else { act(); }
});
</script>"""


def test_what_moved_is_named_with_its_places(page: Page) -> None:
    page.set_content(f"<script>{COUNT_SHIFTS}</script>{BOXES}")
    assert_still(page, 0.01)
    page.evaluate("move()")
    page.wait_for_function("shifts.length")
    with pytest.raises(AssertionError, match=r"shifted by 0\.04\d+, and may by 0\.03") as raised:
        assert_still(page, 0.03)
    assert "main#main > p.moved from 0,0 1440×100 to 0,300 1440×100" in str(raised.value)


def test_it_counts_from_the_last_look_on(page: Page) -> None:
    page.set_content(f"<script>{COUNT_SHIFTS}</script>{BOXES}")
    assert_still(page, 0.01)
    page.evaluate("move()")
    page.wait_for_function("shifts.length")
    with pytest.raises(AssertionError):
        assert_still(page, 0.01)
    assert_still(page, 0.01)


def test_what_a_busy_computer_shows_late_is_still_the_answer_to_a_key(page: Page) -> None:
    page.set_content(f"<script>{COUNT_SHIFTS}</script>{BOXES}")
    page.evaluate("addEventListener('keydown', () => afterFrames(3, 300, move))")
    page.keyboard.press("a")
    page.wait_for_function("shifts.length")
    assert_still(page, 0.01, by_itself=True)


def test_what_moves_after_the_answer_to_a_key_moves_by_itself(page: Page) -> None:
    page.set_content(f"<script>{COUNT_SHIFTS}</script>{BOXES}")
    page.evaluate("addEventListener('keydown', () => afterFrames(20, 0, () => setTimeout(move, 700)))")
    page.keyboard.press("a")
    page.wait_for_function("shifts.length")
    with pytest.raises(AssertionError):
        assert_still(page, 0.01, by_itself=True)
