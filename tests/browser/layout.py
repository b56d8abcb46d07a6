"""What a page's layout does, measured in the browser: what moves by itself, and which controls can't be reached."""

from __future__ import annotations

from playwright.sync_api import Page

CONTROLS = "a[href], button, input, select, textarea, summary, [role=button], [role=slider], [role=tab], [tabindex='0']"

# A control counts when a person is meant to see it: not folded away, not transparent until pointed at, not for readers
# of the page only, not shut away (inert). What scrolls inside a box of its own is reached by scrolling that box, and
# what lies under the panel or the drawer by closing it.
FAULTS = """(controls) => {
  const width = document.documentElement.clientWidth;
  const name = (node) => (node.getAttribute('aria-label') || node.innerText || node.id || node.className || '').trim();
  const meant = (node) => node.checkVisibility({opacityProperty: true, visibilityProperty: true})
    && !node.matches('.visually-hidden, .skip, [type=hidden], [type=file]')
    && !node.closest('[inert], [aria-hidden=true]');
  const scrolls = (node) => {
    for (let box = node.parentElement; box && box !== document.body; box = box.parentElement) {
      if (['auto', 'scroll'].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth) {
        return true;
      }
    }
    return false;
  };
  const cover = (node) => {
    node.scrollIntoView({block: 'center', behavior: 'instant'});
    const place = node.getBoundingClientRect();
    const top = document.elementFromPoint(place.left + place.width / 2, place.top + place.height / 2);
    const own = !top || node.contains(top) || top.contains(node) || [...node.labels || []].some((l) => l.contains(top));
    return own || top.closest('#detail, #drawer') ? '' : `is covered by ${top.id || top.className || top.tagName}`;
  };
  const fault = (node) => {
    const place = node.getBoundingClientRect();
    if (place.width < 1 || place.height < 1) { return 'has no size'; }
    if (scrolls(node)) { return ''; }
    if (place.left < -0.5 || place.right > width + 0.5) {
      return `lies at ${Math.round(place.left)} to ${Math.round(place.right)} of ${width}`;
    }
    return cover(node);
  };
  const found = [...document.querySelectorAll(controls)].filter(meant)
    .map((node) => [name(node).slice(0, 60), fault(node)]).filter((found) => found[1]);
  scrollTo({top: 0, behavior: 'instant'});
  return found.map((pair) => pair.join(': '));
}"""
# A gallery, tabs on a phone and a table of pictures are meant to be pushed sideways; anything else is too wide.
SIDEWAYS = """() => [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility()
  && ['auto', 'scroll'].includes(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth + 1
  && !node.matches('.strip, .tabs, .sheet')).map((node) => node.id || node.className)"""

# To run before a page loads. Shifts right after a click count too: what was clicked must not jump away either.
COUNT_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries()))
  .observe({type: 'layout-shift', buffered: true});
"""
SUM_SHIFTS = "() => window.shifts.splice(0).reduce((sum, entry) => sum + entry.value, 0)"


def unreachable(page: Page) -> list[str]:
    """The controls that can't be reached: outside the viewport, without a size or covered by something else."""
    found: list[str] = page.evaluate(FAULTS, CONTROLS)
    return found


def too_wide(page: Page) -> list[str]:
    """The boxes that scroll sideways and are not meant to."""
    found: list[str] = page.evaluate(SIDEWAYS)
    return found


def shifted(page: Page) -> float:
    """The sum of all layout shifts since the last call; Cumulative Layout Shift is at most that."""
    page.wait_for_timeout(500)
    moved: float = page.evaluate(SUM_SHIFTS)
    return moved
