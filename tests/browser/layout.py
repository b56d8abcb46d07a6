"""What a page's layout does, measured in the browser: what moves by itself, and which controls can't be reached."""

from dataclasses import dataclass

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
    const isOver = own || top.closest('#panel, #drawer, #suggestions, .pop');
    return isOver ? '' : `is covered by ${top.id || top.className || top.tagName}`;
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
# A gallery, tabs and a library's filters on a phone, a row and a table of pictures are meant to be pushed sideways;
# anything else is too wide.
SIDEWAYS = """() => [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility()
  && ['auto', 'scroll'].includes(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth + 1
  && !node.matches('#strip, .strip, .tabs, .sheet, #filters')).map((node) => node.id || node.className)"""

# Of each line of text that can be seen: the part of its box that no ancestor cuts off.
LINES = """
  const cut = (place, node) => {
    let {left, top, right, bottom} = place;
    for (let box = node; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.overflowX !== 'visible') {
        const edge = box.getBoundingClientRect();
        [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
        [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
      }
      if (style.position === 'fixed') { break; }
    }
    return {left, top, right, bottom};
  };
  const lines = (root) => {
    const found = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const node = text.parentElement;
      if (!text.data.trim() || !node.checkVisibility({opacityProperty: true, visibilityProperty: true})) { continue; }
      if (node.closest('.visually-hidden, .skip, [aria-hidden=true]')) { continue; }
      const range = document.createRange();
      range.selectNodeContents(text);
      for (const place of range.getClientRects()) {
        const {left, top, right, bottom} = cut(place, node);
        if (right - left > 1 && bottom - top > 1) { found.push({node, left, top, right, bottom}); }
      }
    }
    return found;
  };
  const layer = (node) => {
    for (let box = node; box; box = box.parentElement) {
      if (['fixed', 'sticky'].includes(getComputedStyle(box).position)) { return box; }
    }
    return null;
  };
  const name = (node) => `${node.className || node.tagName}: ${(node.textContent || '').trim().slice(0, 40)}`;
"""
BEYOND = (
    "() => {"
    + LINES
    + """
  const width = document.documentElement.clientWidth;
  return [...new Set(lines(document.body).filter((line) => line.left < -1 || line.right > width + 1)
    .map((line) => name(line.node)))];
}"""
)
# A text of many lines that have room for a letter or two.
SQUEEZED = (
    "() => {"
    + LINES
    + """
  const texts = Map.groupBy(lines(document.body), (line) => line.node);
  return [...texts].filter(([node, found]) => found.length > 4 && found.every((line) => line.right - line.left < 24))
    .map(([node]) => name(node));
}"""
)
# What lies on a picture is meant to.
OVERLAPS = (
    "(containers) => {"
    + LINES
    + """
  const faults = new Set();
  for (const box of document.querySelectorAll(containers)) {
    const all = lines(box).filter((line) => !line.node.closest('.picture, .gallery, .quick, .lightbox, option'))
      .sort((one, other) => one.top - other.top);
    for (let i = 0; i < all.length; i += 1) {
      for (let j = i + 1; j < all.length && all[j].top < all[i].bottom - 3; j += 1) {
        const [one, other] = [all[i], all[j]];
        if (one.node === other.node || one.node.contains(other.node) || other.node.contains(one.node)) { continue; }
        const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        if (wide <= 2 || layer(one.node) !== layer(other.node)) { continue; }
        faults.add(`${name(one.node)} | ${name(other.node)}`);
      }
    }
  }
  return [...faults];
}"""
)

# To run before a page loads. Shifts right after a click count too: what was clicked must not jump away either. What
# moved is named at once: an element that is gone later has no name any more. Chromium takes what moves half a second
# after a click for an answer to it. A busy computer may need longer to draw the page anew, so its next frames are an
# answer too.
COUNT_SHIFTS = """
window.shifts = [];
(() => {
  const FRAMES = 10;
  // Frames that start by this time are an answer to the last click or key.
  let answered = -1;
  let turn = 0;
  // Requests that a click or a key has begun, and not the page by itself.
  let asked = 0;
  for (const [kind, by] of [['htmx:before:request', 1], ['htmx:finally:request', -1]]) {
    addEventListener(kind, ({detail: {ctx}}) => { if (ctx.sourceEvent?.type !== 'load') { asked += by; } });
  }
  const count = (own, left) => {
    if (own !== turn) { return; }
    const next = asked ? FRAMES : left - 1;
    if (left) { requestAnimationFrame(() => count(own, next)); } else { answered = performance.now(); }
  };
  for (const kind of ['keydown', 'input', 'pointerdown', 'click']) {
    addEventListener(kind, (event) => {
      if (!event.isTrusted) { return; }
      answered = Infinity;
      turn += 1;
      count(turn, FRAMES);
    }, true);
  }
  const names = (node) => [...node.classList].map((name) => '.' + name);
  const step = (node) => node.localName + (node.id ? '#' + node.id : names(node).join(''));
  const selector = (node) => {
    if (!(node instanceof Element)) { return node ? selector(node.parentElement) + ' ' + node.nodeName : '(gone)'; }
    const steps = [];
    for (let each = node; each && steps.length < 5; each = each.parentElement) {
      steps.unshift(step(each));
      if (each.id) { break; }
    }
    return steps.join(' > ');
  };
  const place = (box) => box.width * box.height
    ? `${Math.round(box.x)},${Math.round(box.y)} ${Math.round(box.width)}×${Math.round(box.height)}` : 'nowhere';
  const read = (entry) => ({
    value: entry.value,
    own: !entry.hadRecentInput && entry.startTime > answered,
    line: `${entry.value.toFixed(4)} after ${Math.round(entry.startTime)} ms: `
      + entry.sources.map((each) =>
        `${selector(each.node)} from ${place(each.previousRect)} to ${place(each.currentRect)}`).join('; '),
  });
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(read)))
    .observe({type: 'layout-shift', buffered: true});
})();
"""
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
    found: list[str] = page.evaluate(FAULTS, CONTROLS)
    return found


def too_wide(page: Page) -> list[str]:
    """The boxes that scroll sideways and are not meant to."""
    found: list[str] = page.evaluate(SIDEWAYS)
    return found


def beyond_the_window(page: Page) -> list[str]:
    """The texts of which a part that is not cut off lies beside the window."""
    found: list[str] = page.evaluate(BEYOND)
    return found


def squeezed(page: Page) -> list[str]:
    """The texts in a column that is hardly wider than a letter."""
    found: list[str] = page.evaluate(SQUEEZED)
    return found


def overlaps(page: Page, containers: str) -> list[str]:
    """Pairs of texts within a container whose lines lie upon each other."""
    found: list[str] = page.evaluate(OVERLAPS, containers)
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
