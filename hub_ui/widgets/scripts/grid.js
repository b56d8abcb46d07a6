// The list may have thousands of cards, of which the page has those around the screen (hub_ui/pages/browse/painter.py).
// Here is kept the room of all the others, so that the scroll bar is true and no card moves; and when the panel opens
// beside the cards, fewer stand in a row, and the one that was clicked stays where it is.
const root = element.closest('#page-browse');
const box = () => element.querySelector('.cards');
const cards = () => [...element.querySelectorAll('.card:not(.ghost, .alone)')];
const place = (card) => Number(card.dataset.at);
const card = (at) => element.querySelector(`.card[data-at="${at}"]`);
const isPhone = matchMedia('(max-width: 820px)');
const HEADER = 56;
// Cards that are there above and below the screen at least, and after which others are asked for.
const KEPT = 12;
const WANTED = 60;
// So long cards are waited for, and the panel's content. Where the panel makes way too early for a slow answer, the list
// moves twice.
const PATIENCE = 5000;
const PANEL_PATIENCE = 30000;

// --- Where cards stand ------------------------------------------------------------------------------------------

// What depends on the width: columns, the width of a card, and how far one row is from the next.
let shape = { columns: 1, width: 0, pitch: 0, gap: 0 };
// The card that the panel was opened from: its place in the list, row and column.
let held = null;
// Of the whole list.
let width = 0;
const rules = document.createElement('style');
document.head.append(rules);

const measure = () => {
  const style = getComputedStyle(box());
  const tracks = style.gridTemplateColumns.split(' ');
  const [gap, least] = [parseFloat(style.rowGap), parseFloat(style.getPropertyValue('--least'))];
  const first = element.querySelector('.card');
  const height = first ? first.getBoundingClientRect().height : 0;
  shape = { columns: tracks.length, width: parseFloat(tracks[0]), pitch: height + gap, gap, least };
};
// Beside the panel cards keep their width as long as two of them have room.
const setColumns = () => {
  element.style.removeProperty('--columns');
  if (isPhone.matches || !isOpen()) { return; }
  // The panel stays, only its room is taken away: an image that is just being stepped to would go back.
  const results = element.closest('#results');
  results.style.marginRight = '0';
  measure();
  results.style.removeProperty('margin-right');
  const { width, gap } = shape;
  const fitting = Math.floor((box().clientWidth + gap) / (width + gap));
  if (fitting > 1) { element.style.setProperty('--columns', `repeat(${fitting}, ${width}px)`); }
};
const layOut = () => {
  if (!box() || !element.offsetParent) { return; }
  setColumns();
  measure();
  const { columns, width, pitch, gap } = shape;
  const here = cards();
  const start = here.length ? place(here[0]) : 0;
  const end = here.length ? place(here[here.length - 1]) + 1 : 0;
  const rows = (number) => Math.ceil(number / columns);
  const above = Math.floor(start / columns);
  const below = Math.max(0, rows(Number(box().dataset.loaded)) - rows(end));
  element.style.setProperty('--above', `${above * pitch}px`);
  element.style.setProperty('--below', `${end ? below * pitch : 0}px`);
  element.style.setProperty('--lead', start % columns);
  element.toggleAttribute('data-lead', start % columns > 0);
  const alone = element.querySelector('.card.alone');
  const texts = [];
  if (alone) {
    const [row, column] = [Math.floor(place(alone) / columns), place(alone) % columns];
    const [top, left] = [row * pitch, column * (width + gap)];
    texts.push(`#grid .card.alone { top: ${top}px; left: ${left}px; width: ${width}px; }`);
  }
  if (held && held.row >= above && card(held.at)) {
    const [row, column] = [held.row - above + 1, held.column + 1];
    texts.push(`#grid .card[data-at="${held.at}"] { grid-row: ${row}; grid-column: ${column}; }`);
  }
  rules.textContent = texts.join('\n');
};
// Does `change`, which moves cards, and scrolls so that the one at `at` stays at its height.
const keepHeight = (at, change) => {
  const top = () => card(at)?.getBoundingClientRect().top;
  const before = top();
  change();
  const after = top();
  width = element.clientWidth;
  if (before === undefined || after === undefined) { return; }
  const left = document.documentElement.scrollHeight - innerHeight - scrollY;
  if (after - before > left) { root.style.setProperty('--room', `${after - before - left}px`); }
  scrollBy({ top: after - before, behavior: 'instant' });
};
const firstSeen = () => cards().find((each) => each.getBoundingClientRect().top >= HEADER);

// --- The panel ---------------------------------------------------------------------------------------------------

const isOpen = () => root.hasAttribute('data-panel');
const hasPanel = () => root.querySelector('#detail .detail') !== null;
const openPanel = (from) => {
  if (isOpen()) { return; }
  const { columns } = shape;
  const at = from ? place(from) : null;
  const anchor = at ?? (firstSeen() ? place(firstSeen()) : -1);
  keepHeight(anchor, () => {
    root.setAttribute('data-panel', '');
    if (at !== null && !isPhone.matches) {
      setColumns();
      measure();
      held = hold(at, columns);
    }
    layOut();
  });
};
// In the same column, or the last one; in the same row unless that is far from its turn.
const hold = (at, before) => {
  const { columns } = shape;
  const column = Math.min(at % before, columns - 1);
  const [was, turn] = [Math.floor(at / before), Math.round((at - column) / columns)];
  return { at, column, row: Math.max(was, turn - 1) };
};
const closePanel = () => {
  if (!isOpen()) { return; }
  const open = new URLSearchParams(location.search).get('open') || '';
  const opened = cards().find((each) => each.querySelector('.hit').dataset.ref === open);
  const isSeen = (each) => each && each.getBoundingClientRect().bottom > HEADER && each.getBoundingClientRect().top < innerHeight;
  const anchor = [opened, held && card(held.at), firstSeen()].find(isSeen);
  keepHeight(anchor ? place(anchor) : -1, () => {
    root.removeAttribute('data-panel');
    root.style.removeProperty('--room');
    held = null;
    layOut();
  });
  look();
};
// At once, not when the server answers: what moves then moves because of the click.
let expected = null;
let patience = 0;
const giveUp = () => { expected = null; follow(); };
const expect = (open) => {
  expected = open;
  clearTimeout(patience);
  patience = setTimeout(giveUp, PANEL_PATIENCE);
};
// Another question closes it too.
const CLOSING = ['#detail [data-act=close]', '[data-act=search]:is(#detail *, #grid *)', '#saved [data-act=open-search]',
  '[data-act]:is(#facets *, #sentence *, .demo *)'].join();
document.addEventListener('click', (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) { return; }
  const { target } = event;
  if (target.closest('[data-act=open]:not(#detail *)')) {
    expect(true);
    openPanel(target.closest('#grid .card'));
  } else if (target.closest(CLOSING) && isOpen()) {
    expect(false);
    closePanel();
  }
}, true);
// So does Enter after a text that names one LoRA: an address, an AIR, or a hub with a colon. The server says otherwise
// where it can not read it.
const namesLora = (text) => {
  const hubs = [...root.querySelectorAll('#facets [data-facet=hubs]')].map((each) => each.dataset.value);
  const [, prefix] = text.match(/^([^\s:]+):\S+$/) || [];
  return Boolean(prefix) && (/^\S+:\/\//.test(text) || ['urn', 'air', ...hubs].includes(prefix.toLowerCase()));
};
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.isComposing || !event.target.closest('#search')) { return; }
  const opens = namesLora(event.target.value.trim());
  if (!opens && !isOpen()) { return; }
  expect(opens);
  if (opens) { openPanel(null); } else { closePanel(); }
}, true);
document.addEventListener('hub-ui-not-opened', giveUp);
// The browser would go back to a height at which other cards stand by now.
history.scrollRestoration = 'manual';
// Addresses, the search box and the browser's own buttons open and close it too.
const follow = () => {
  const open = hasPanel();
  if (expected !== null && expected !== open) { return; }
  expected = null;
  if (open) { openPanel(null); } else { closePanel(); }
};
new MutationObserver(follow).observe(root.querySelector('#detail'), { childList: true, subtree: true });
const readAddress = () => {
  const open = new URLSearchParams(location.search).has('open');
  expect(open);
  if (open) { openPanel(null); } else { closePanel(); }
};
addEventListener('popstate', readAddress);

// --- Which cards are here ----------------------------------------------------------------------------------------

let asked = '';
let askedMore = -1;
let askedAt = 0;
// A card that gets the focus once it is here.
let goal = null;
const focused = () => {
  const active = document.activeElement?.closest('#grid .card');
  return active ? active.dataset.at : '';
};
let later = 0;
const ask = (act, first, last) => {
  // Without an answer, they are asked for again.
  clearTimeout(later);
  later = setTimeout(look, PATIENCE + 100);
  document.dispatchEvent(new CustomEvent('hub-ui-cards', { detail: { act, first, last, focused: focused() } }));
};
const look = () => {
  if (!box() || !element.offsetParent || !shape.pitch) { return; }
  const loaded = Number(box().dataset.loaded);
  const page = Number(box().dataset.page);
  const { columns, pitch } = shape;
  const hidden = HEADER - box().getBoundingClientRect().top;
  const top = Math.min(Math.max(0, Math.floor(hidden / pitch)) * columns, Math.max(0, loaded - 1));
  const bottom = Math.min(loaded, top + (Math.ceil(innerHeight / pitch) + 1) * columns);
  const here = cards();
  const start = here.length ? place(here[0]) : 0;
  const end = here.length ? place(here[here.length - 1]) + 1 : 0;
  const first = Math.floor(Math.max(0, top - WANTED) / page);
  const last = Math.floor((bottom + WANTED) / page);
  const isLate = performance.now() - askedAt > PATIENCE;
  const isNear = scrollY > 0 ? bottom + WANTED >= loaded : bottom >= loaded;
  if (isNear && document.querySelector('#more [data-auto]') && (askedMore !== loaded || isLate)) {
    [askedMore, asked, askedAt] = [loaded, `${first} ${last}`, performance.now()];
    ask('more', first, last);
    return;
  }
  const isShort = (start > 0 && top - KEPT < start) || (end < loaded && bottom + KEPT > end);
  const isLeft = element.querySelector('.card.alone') && !focused();
  if ((isShort || isLeft) && (asked !== `${first} ${last}` || isLate)) {
    [asked, askedAt] = [`${first} ${last}`, performance.now()];
    ask('window', first, last);
  }
};
let isWaiting = false;
const lookSoon = () => {
  if (isWaiting) { return; }
  isWaiting = true;
  requestAnimationFrame(() => { isWaiting = false; look(); });
};
addEventListener('scroll', lookSoon, { passive: true });
// "Load more" by hand, and what keyboard.js asks for.
document.addEventListener('hub-ui-show-card', (event) => {
  goal = Math.max(0, Math.min(event.detail, Number(box().dataset.loaded) - 1));
  const top = box().getBoundingClientRect().top + Math.floor(goal / shape.columns) * shape.pitch;
  if (top < HEADER || top + shape.pitch > innerHeight) {
    scrollBy({ top: top - (innerHeight - shape.pitch) / 2, behavior: 'instant' });
  }
  reach();
  look();
});
const reach = () => {
  const there = goal !== null && card(goal);
  if (!there) { return; }
  goal = null;
  there.querySelector('.hit').focus({ preventScroll: true });
};

// --- Pictures -----------------------------------------------------------------------------------------------------

// A blurred one is shown when a person asks for it, as long as this tab is open.
const SHOWN = 'hub-ui-shown';
const shown = new Set(JSON.parse(sessionStorage.getItem(SHOWN) || '[]'));
const refOf = (picture) => picture.closest('.card').querySelector('.hit').dataset.ref;
const unblur = () => {
  for (const button of element.querySelectorAll('.reveal')) {
    const picture = button.closest('.picture');
    picture.classList.toggle('shown', shown.has(refOf(picture)));
  }
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('.reveal');
  if (!button) { return; }
  shown.add(refOf(button));
  sessionStorage.setItem(SHOWN, JSON.stringify([...shown]));
  unblur();
  play(button.closest('.card'));
});
// A video plays while its card is pointed at or has the focus, for those who don't ask for less motion.
const still = matchMedia('(prefers-reduced-motion: reduce)');
let playing = null;
const isHidden = (picture) => picture.querySelector('.reveal')?.checkVisibility() ?? false;
const stop = () => {
  playing?.querySelector('video')?.remove();
  playing = null;
};
const play = (of) => {
  if (playing === of) { return; }
  stop();
  const picture = of?.querySelector('.picture[data-video]');
  if (!picture || still.matches || isHidden(picture)) { return; }
  playing = of;
  const video = document.createElement('video');
  Object.assign(video, { muted: true, loop: true, playsInline: true, src: picture.dataset.video });
  video.setAttribute('aria-hidden', 'true');
  // The still image stays where a video can't be played.
  video.addEventListener('error', stop);
  picture.append(video);
  video.play().catch(() => {});
};
// A list that is painted anew has no video.
const playAgain = () => {
  if (!playing || playing.querySelector('video')) { return; }
  playing = null;
  play(element.querySelector('.card:hover') || element.querySelector('.card:has(:focus-visible)'));
};
const pointed = (event) => {
  const of = event.target.closest('.card');
  if (event.type === 'pointerover' ? event.pointerType === 'mouse' : event.target.matches(':focus-visible')) { play(of); }
};
element.addEventListener('pointerover', pointed);
element.addEventListener('focusin', pointed);
element.addEventListener('pointerleave', stop);
element.addEventListener('focusout', stop);

// --- What changes ------------------------------------------------------------------------------------------------

// A new question is read from its first card on.
const question = () => box()?.dataset.question;
let read = question();
watch('value', () => {
  const now = question();
  if (read && now !== read) {
    [held, goal, asked, askedMore] = [null, null, '', -1];
    if (element.offsetParent) { scrollTo({ top: 0, behavior: 'instant' }); }
  }
  read = now;
  asked = '';
  layOut();
  unblur();
  playAgain();
  reach();
  lookSoon();
});
// Another width has other rows: the first card on the screen stays there. A page that was left is where it was.
let seen = { at: -1, top: 0, scroll: 0 };
const remember = () => {
  if (!element.offsetParent) { return; }
  const first = firstSeen();
  seen = { at: first ? place(first) : -1, top: first ? first.getBoundingClientRect().top : 0, scroll: scrollY };
};
addEventListener('scroll', () => requestAnimationFrame(remember), { passive: true });
new ResizeObserver(() => {
  const now = element.clientWidth;
  if (now === width) { return; }
  const wasHidden = width === 0;
  width = now;
  if (!now) { return; }
  layOut();
  if (wasHidden) { scrollTo({ top: seen.scroll, behavior: 'instant' }); }
  const there = card(seen.at);
  if (!wasHidden && there && seen.scroll) { scrollBy({ top: there.getBoundingClientRect().top - seen.top, behavior: 'instant' }); }
  lookSoon();
}).observe(element);
addEventListener('resize', lookSoon);
document.addEventListener('focusin', lookSoon);
readAddress();
layOut();
