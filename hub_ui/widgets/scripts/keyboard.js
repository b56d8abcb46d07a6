// For those who use the page by keyboard, or hear it read. Loaded once, into the head of the page.
(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const cards = () => all('#grid .card .hit');
  const panel = () => one('#detail .detail');
  const isPhone = matchMedia('(max-width: 820px)');
  const isVisible = (node) => node.checkVisibility();
  const isLost = () => !document.activeElement || document.activeElement === document.body;
  const FOCUSABLE = 'a[href], button:not(:disabled), input, select, textarea';

  const focusCard = (hit) => {
    if (!hit) { return; }
    hit.closest('.card').scrollIntoView({ block: 'nearest' });
    hit.focus({ preventScroll: true });
  };

  // --- Keys -----------------------------------------------------------------------------------------------------

  const typesIn = (node) => node.closest('input:not([type=range]):not([type=checkbox]), textarea, select');

  // The list has more cards than the page (grid.js): each knows its place, and grid.js shows one that is not here.
  const place = (hit) => Number(hit.closest('.card').dataset.at);
  const loaded = () => Number(one('#grid .cards')?.dataset.loaded ?? 0);
  const columns = () => getComputedStyle(one('#grid .cards')).gridTemplateColumns.split(' ').length;
  // Down goes to the card below, whatever the number of columns is: the nearest that starts in the same place.
  const inColumn = (hit, step) => {
    const left = hit.closest('.card').offsetLeft;
    for (let at = place(hit) + step; hitAt(at); at += step) {
      if (hitAt(at).closest('.card').offsetLeft === left) { return at; }
    }
    return place(hit) + step * columns();
  };
  const hitAt = (at) => one(`#grid .card[data-at="${at}"] .hit`);
  const steps = {
    ArrowRight: (hit) => place(hit) + 1,
    ArrowLeft: (hit) => place(hit) - 1,
    ArrowDown: (hit) => inColumn(hit, 1),
    ArrowUp: (hit) => inColumn(hit, -1),
    Home: () => 0,
    End: () => loaded() - 1,
  };
  const goToCard = (at) => {
    if (at < 0 || at >= loaded()) { return; }
    if (hitAt(at)) { focusCard(hitAt(at)); return; }
    document.dispatchEvent(new CustomEvent('hub-ui-show-card', { detail: at }));
  };
  const moveInGrid = (event) => {
    if (!event.target.matches('#grid .card .hit') || !(event.key in steps)) { return false; }
    goToCard(steps[event.key](event.target));
    return true;
  };
  // A card that stands alone, far from the screen, goes on to its own neighbour.
  const leaveAlone = (event) => {
    if (event.key !== 'Tab' || !event.target.closest('#grid .card.alone')) { return false; }
    goToCard(place(event.target) + (event.shiftKey ? -1 : 1));
    return true;
  };
  const moveInTabs = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const list = event.target.closest('.html-container [role=tablist]');
    if (!list || !step) { return false; }
    const tabs = [...list.querySelectorAll('[role=tab]:not(:disabled)')];
    tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length].focus();
    return true;
  };
  // Down was the last key in the box, and the list that it leads to is not here yet.
  let isAwaited = false;
  const leaveSearch = (event) => {
    // The suggestions below the box come first.
    const isAtGrid = event.key === 'ArrowDown' && event.target.closest('#search:not(:has([aria-expanded=true]))')
      && isVisible(one('#grid'));
    if (isAtGrid) { goToCard(0); }
    isAwaited = Boolean(isAtGrid && !hitAt(0));
    return isAtGrid;
  };
  const search = (event) => {
    if (event.key !== '/' || typesIn(event.target)) { return false; }
    const box = one('#search input, #search textarea');
    box.focus();
    box.select();
    return true;
  };
  // Whatever lies on top is closed first: a dialog and the drawer see to themselves.
  const closePanel = (event) => {
    const isInUse = one('dialog[open], #drawer[data-open], #term-note:popover-open') || event.target.getAttribute('aria-expanded') === 'true';
    if (event.key !== 'Escape' || isInUse || !panel()) { return false; }
    panel().querySelector('.close').click();
    return true;
  };
  document.addEventListener('keydown', (event) => {
    isAwaited = false;
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if ([search, closePanel, leaveSearch, moveInGrid, leaveAlone, moveInTabs].some((did) => did(event))) { event.preventDefault(); }
  }, true);

  // --- Skip links -----------------------------------------------------------------------------------------------

  // Not by the address: a fragment in it would be a step of the browser's history.
  document.addEventListener('click', (event) => {
    const link = event.target.closest('[data-skip]');
    if (!link) { return; }
    event.preventDefault();
    const next = all(link.dataset.skip).flatMap((part) => [...part.querySelectorAll(FOCUSABLE)]).find(isVisible);
    if (next) { next.focus(); }
  });

  // --- Focus: into the panel, back to the card, and kept where the page is painted anew --------------------------

  let opener = '';
  let isOpening = false;
  let wasOpen = false;
  let wasDrawerOpen = false;
  let kept = null;
  const question = () => one('#grid .cards')?.dataset.question;
  const signature = (node) => JSON.stringify([node.tagName, node.id, { ...node.dataset }]);
  const lora = (ref) => ref.split('@')[0];
  const cardOf = (ref) => cards().find((hit) => hit.dataset.ref === ref)
    || cards().find((hit) => lora(hit.dataset.ref) === lora(ref));

  document.addEventListener('click', (event) => {
    const link = event.target.closest('[data-act=open]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) { return; }
    isOpening = true;
    opener = link.closest('#grid') ? link.dataset.ref : opener;
  }, true);
  document.addEventListener('pointerdown', () => { kept = null; isAwaited = false; }, true);
  document.addEventListener('focusin', (event) => {
    isAwaited = false;
    // Only in our own HTML: Gradio's components mind their focus themselves.
    const root = event.target.closest('.html-container')?.closest('.block[id]');
    kept = root ? { root, signature: signature(event.target), question: question() } : null;
  });

  const enterPanel = () => {
    isOpening = false;
    one('#detail').scrollTop = 0;
    panel().focus({ preventScroll: true });
  };
  const leavePanel = () => {
    const card = cardOf(opener);
    opener = '';
    if (!isLost()) { return; }
    const next = card && isVisible(card) ? card : one('#nav [aria-current=page]');
    next.focus({ preventScroll: true });
  };
  // In the list of another question, which is read from its first card on, the focus begins there too.
  const isOutdated = () => kept?.root.id === 'grid' && kept.question !== question();
  const beginList = () => {
    const active = document.activeElement;
    const first = hitAt(0);
    if (!first || !(isAwaited || (isOutdated() && (isLost() || kept.root.contains(active))))) { return; }
    if (first === active) { kept = { ...kept, signature: signature(first), question: question() }; }
    focusCard(first);
  };
  const keepFocus = () => {
    const active = document.activeElement;
    if (!kept || !(isLost() || kept.root.contains(active)) || (!isLost() && signature(active) === kept.signature)) {
      return;
    }
    const same = [...kept.root.querySelectorAll('*')].find((node) => signature(node) === kept.signature);
    if (same) { same.focus({ preventScroll: true }); }
  };

  // What lies under a panel or drawer that fills the screen can't be reached.
  const shutAway = () => {
    const isDrawerOpen = isPhone.matches && one('#drawer[data-open]');
    const isPanelOpen = isPhone.matches && panel();
    all('#header').forEach((node) => { node.inert = Boolean(isDrawerOpen || isPanelOpen); });
    all('#facets, #results').forEach((node) => { node.inert = Boolean(isDrawerOpen || isPanelOpen); });
    all('[id^=page-]').forEach((node) => { node.inert = Boolean(isDrawerOpen); });
  };
  isPhone.addEventListener('change', shutAway);

  // --- Names ----------------------------------------------------------------------------------------------------

  // Gradio names its upload buttons otherwise than they are labelled, so that voice control can't find them.
  const nameUploads = () => all('button.upload-container[aria-label]').forEach((button) => {
    button.removeAttribute('aria-label');
  });
  const nameTab = () => {
    const title = panel() ? panel().getAttribute('aria-label') : one('#nav h1')?.textContent;
    // As the browser gives it back: compared with anything else, it would be written for ever.
    const named = (title ? `${title} · hub-ui` : 'hub-ui').replace(/[\t\n\f\r ]+/g, ' ').trim();
    if (document.title !== named) { document.title = named; }
  };

  const follow = () => {
    const isOpen = Boolean(panel());
    const isDrawerOpen = Boolean(one('#drawer[data-open]'));
    nameUploads();
    nameTab();
    shutAway();
    if (isOpen && !opener) { opener = new URLSearchParams(location.search).get('open') || ''; }
    if (isOpen && isOpening) { enterPanel(); }
    beginList();
    if (!isOutdated()) { keepFocus(); }
    if (wasOpen && !isOpen) { leavePanel(); }
    const isLeft = isLost() || one('#drawer')?.contains(document.activeElement);
    if (wasDrawerOpen && !isDrawerOpen && isLeft) { one('#downloads [data-drawer]').focus(); }
    wasOpen = isOpen;
    wasDrawerOpen = isDrawerOpen;
  };
  const watched = { childList: true, subtree: true, attributeFilter: ['data-ref', 'data-open', 'aria-current', 'aria-label'] };
  new MutationObserver(follow).observe(document.documentElement, watched);
})();
