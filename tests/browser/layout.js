// What a page's layout does, asked of the browser (layout.py).

// A control counts when a person is meant to see it: not folded away, not transparent until pointed at, not for readers
// of the page only, not shut away (inert). What scrolls inside a box of its own is reached by scrolling that box, and
// what lies under the panel or the drawer by closing it.
const unreachable = (controls) => {
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
};

// A gallery, tabs and a library's filters on a phone, a row and a table of pictures are meant to be pushed sideways;
// anything else is too wide.
const tooWide = () => [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility()
  && ['auto', 'scroll'].includes(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth + 1
  && !node.matches('#strip, .strip, .tabs, .sheet, #filters')).map((node) => node.id || node.className);

// Of each line of text that can be seen: the part of its box that no ancestor cuts off.
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
const beyondTheWindow = () => {
  const width = document.documentElement.clientWidth;
  return [...new Set(lines(document.body).filter((line) => line.left < -1 || line.right > width + 1)
    .map((line) => name(line.node)))];
};

// A text of many lines that have room for a letter or two.
const squeezed = () => {
  const texts = Map.groupBy(lines(document.body), (line) => line.node);
  return [...texts].filter(([node, found]) => found.length > 4 && found.every((line) => line.right - line.left < 24))
    .map(([node]) => name(node));
};

// What lies on a picture is meant to.
const overlaps = (containers) => {
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
};
