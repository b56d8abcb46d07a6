// What a word of the glossary means, beside the word: on hover, on focus and on a press. Loaded once, into the head of
// the page. There is one note, in the top layer, so that no panel cuts it off.
(() => {
  const SOON = 150;
  const LATER = 300;
  const GAP = 6;
  const EDGE = 12;
  const WIDEST = 300;
  const note = document.createElement('div');
  note.id = 'term-note';
  note.popover = 'manual';
  const text = document.createElement('p');
  const link = document.createElement('a');
  link.target = '_blank';
  note.append(text, link);
  // The word, what it is called, where it was when the note was placed, and the part of the page that it is in.
  let word = null;
  let term = '';
  let at = null;
  let root = null;
  let isPinned = false;
  let timer = 0;

  const place = () => {
    at = word.getBoundingClientRect();
    const { left, top, bottom } = at;
    const screen = document.documentElement.clientWidth;
    const width = Math.min(WIDEST, screen - 2 * EDGE);
    note.style.width = `${width}px`;
    const height = note.offsetHeight;
    const fitsBelow = bottom + GAP + height <= innerHeight - EDGE;
    note.style.left = `${Math.max(EDGE, Math.min(left, screen - width - EDGE))}px`;
    note.style.top = `${Math.max(EDGE, fitsBelow ? bottom + GAP : top - GAP - height)}px`;
  };
  const mark = () => {
    word.setAttribute('aria-expanded', 'true');
    word.setAttribute('aria-describedby', note.id);
  };
  const unmark = () => {
    word.removeAttribute('aria-expanded');
    word.removeAttribute('aria-describedby');
  };
  const hide = () => {
    clearTimeout(timer);
    if (!word) { return; }
    updates.disconnect();
    unmark();
    if (note.isConnected) { note.hidePopover(); }
    word = null;
    isPinned = false;
  };
  const show = (next) => {
    clearTimeout(timer);
    if (word === next || !next.isConnected) { return; }
    hide();
    word = next;
    // What lies outside of an open dialog can't be used.
    (word.closest('dialog') || document.querySelector('.gradio-container .contain')).append(note);
    text.textContent = word.dataset.text;
    link.textContent = word.dataset.more;
    const theme = document.body.classList.contains('dark') ? '?theme=dark' : '';
    link.href = `glossary${theme}#${encodeURIComponent(word.dataset.term)}`;
    note.showPopover();
    place();
    mark();
    term = word.dataset.term;
    root = word.closest('.html-container') || document.body;
    updates.observe(root, { childList: true, subtree: true, attributeFilter: ['aria-describedby', 'data-term'] });
  };
  // An update of that part takes the word's marks away, and may give its place to another word.
  const follow = () => {
    const same = `.term[data-term="${CSS.escape(term)}"]`;
    const next = word.isConnected && word.matches(same) ? word : root.querySelector(same);
    if (!next) { hide(); return; }
    unmark();
    word = next;
    mark();
    place();
    updates.takeRecords();
  };
  const updates = new MutationObserver(follow);
  const wait = (what, time) => {
    clearTimeout(timer);
    timer = setTimeout(what, time);
  };
  const find = (event) => (event.target instanceof Element ? event.target.closest('.term') : null);
  const isOurs = (node) => node instanceof Element && (note.contains(node) || node === word || word?.contains(node));

  document.addEventListener('pointerover', (event) => {
    if (event.pointerType === 'touch') { return; }
    const next = find(event);
    if (next && next !== word) { wait(() => show(next), SOON); }
    if (isOurs(event.target)) { clearTimeout(timer); }
  });
  document.addEventListener('pointerout', (event) => {
    if (event.pointerType === 'touch' || !(find(event) || isOurs(event.target)) || isOurs(event.relatedTarget)) { return; }
    wait(() => { if (!isPinned && document.activeElement !== word) { hide(); } }, LATER);
  });
  document.addEventListener('focusin', (event) => {
    const next = find(event);
    if (next && next.matches(':focus-visible')) { show(next); }
    if (!next && !isOurs(event.target)) { hide(); }
  });
  document.addEventListener('focusout', (event) => {
    if (word && !isPinned && !isOurs(event.relatedTarget)) { hide(); }
  });
  document.addEventListener('pointerdown', (event) => {
    if (!isOurs(event.target)) { hide(); }
  }, true);
  document.addEventListener('click', (event) => {
    const next = find(event);
    if (!next) { return; }
    event.preventDefault();
    if (next === word && isPinned) { hide(); return; }
    show(next);
    isPinned = true;
    // Pressed by key: on to the glossary with another one.
    if (event.detail === 0) { link.focus(); }
  });
  document.addEventListener('keydown', (event) => {
    if (!word) { return; }
    const isInside = note.contains(event.target);
    if (event.key !== 'Escape' && !(event.key === 'Tab' && isInside)) { return; }
    const back = word;
    // A Tab goes on from the word; nothing else on the page is closed by this Escape.
    if (isInside) { back.focus(); }
    if (event.key === 'Escape' || event.shiftKey) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
    hide();
  }, true);
  // What comes above the word may scroll its panel, without the word moving.
  document.addEventListener('scroll', () => {
    if (!word) { return; }
    const { left, top } = word.getBoundingClientRect();
    if (Math.hypot(left - at.left, top - at.top) > 1) { hide(); }
  }, true);
  addEventListener('resize', hide);
})();
