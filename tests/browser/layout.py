"""What a page's layout does, measured in the browser: what moves by itself, and which controls can't be reached."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

CONTROLS = "a[href], button, input, select, textarea, summary, [role=button], [role=slider], [role=tab], [tabindex='0']"

SCRIPT = Path(__file__).with_name("layout.js").read_text(encoding="utf-8")
# Counts what moves in the page, from before it loads.
COUNT_SHIFTS = Path(__file__).with_name("shifts.js").read_text(encoding="utf-8")
TAKE_SHIFTS = """(own) => {
  const taken = window.shifts.splice(0).filter((shift) => !own || shift.own);
  return {total: taken.reduce((sum, shift) => sum + shift.value, 0), lines: taken.map((shift) => shift.line)};
}"""


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Layout shifts: Cumulative Layout Shift is at most their `total`. A line of each says what moved, and how far."""

    total: float
    lines: list[str]


def unreachable(page: Page) -> list[str]:
    """The controls that can't be reached: outside the viewport, without a size or covered by something else."""
    return _ask(page, "unreachable", CONTROLS)


def too_wide(page: Page) -> list[str]:
    """The boxes that scroll sideways and are not meant to."""
    return _ask(page, "tooWide")


def beyond_the_window(page: Page) -> list[str]:
    """The texts of which a part that is not cut off lies beside the window."""
    return _ask(page, "beyondTheWindow")


def squeezed(page: Page) -> list[str]:
    """The texts in a column that is hardly wider than a letter."""
    return _ask(page, "squeezed")


def overlaps(page: Page, containers: str) -> list[str]:
    """Pairs of texts within a container whose lines lie upon each other."""
    return _ask(page, "overlaps", containers)


def _ask(page: Page, name: str, *given: str) -> list[str]:
    found: list[str] = page.evaluate(f"(given) => {{ {SCRIPT} return {name}(...given); }}", given)
    return found


def shifts(page: Page, *, by_itself: bool = False) -> Shifts:
    """All layout shifts since the last call.

    `by_itself` leaves out what moved right after a click or a key: then what was clicked has a test of its own.
    """
    page.wait_for_timeout(500)
    return Shifts(**page.evaluate(TAKE_SHIFTS, by_itself))


def forget_shifts(page: Page) -> None:
    """What has moved so far was meant to, or is no matter of the test."""
    shifts(page)


def assert_still(page: Page, limit: float, *, by_itself: bool = False) -> None:
    """The layout has shifted by less than `limit` since the last look at it; `by_itself` as in `shifts`."""
    found = shifts(page, by_itself=by_itself)
    assert found.total < limit, "\n".join([f"shifted by {found.total:.4f}, and may by {limit}", *found.lines])
