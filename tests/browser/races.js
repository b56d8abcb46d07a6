// In every page from before it loads: what is under way, what a person does at random, and what the page shows.
window.underWay = 0;
document.addEventListener('htmx:before:request', () => { window.underWay++; });
document.addEventListener('htmx:finally:request', () => { window.underWay--; window.lastBusy = performance.now(); });
addEventListener('popstate', () => { window.lastBusy = performance.now(); });
// A page that is loaded anew has a count of its own, and this one comes to no rest any more.
navigation.onnavigate = ({ destination: to }) => { lastBusy = performance.now(); underWay += !to.sameDocument; };

{
  const all = (selector) => [...document.querySelectorAll(selector)];
  const texts = (selector) => all(selector).map((each) => each.textContent);

  window.races = {
    beBusy: () => { window.lastBusy = performance.now(); },
    isAtRest(quiet) {
      window.lastBusy ??= performance.now();
      const isBusy = document.querySelector('.htmx-request, .htmx-swapping') || window.underWay;
      if (isBusy) window.lastBusy = performance.now();
      return performance.now() - window.lastBusy > quiet;
    },
    click([selector, part]) {
      const shown = all(selector).filter((each) => each.checkVisibility() && !each.disabled);
      const found = shown[Math.floor(part * shown.length)];
      found?.click();
      return found ? found.id || found.textContent.trim() : null;
    },
    canGo: (step) => navigation.entries()[navigation.currentEntry.index + step]?.sameDocument ?? false,
    // Where a late answer adds an address before the browser goes, there is nothing to go forward to any more.
    go: (step) => new Promise((done) => {
      addEventListener('popstate', () => done(null), { once: true });
      setTimeout(() => done(null), 10_000);
      history.go(step);
    }),
    browse: () => ({
      cards: texts('#cards .hit'),
      boxes: all('#filters input[name]:checked').map((box) => `${box.name}=${box.value}`).sort(),
      sort: document.querySelector('#order').value,
      typed: document.querySelector('#q').value,
      open: document.querySelector('#panel .lora')?.dataset.lora ?? '',
    }),
    compare: () => ({
      fields: ['#prompt', '#try [name=steps]', '#try [name=seed]'].map((name) => document.querySelector(name).value),
      tab: document.querySelector('.tab[aria-pressed=true]').id,
      loras: all('#stack [name=lora]').map((field) => field.value),
      words: document.querySelector('#words-switch')?.value !== 'words on',
    }),
    library: () => ({
      rows: texts('.shelf .hit'),
      boxes: all('#filters [aria-current]').map((box) => box.textContent.trim()),
      typed: document.querySelector('#lq').value,
      open: document.querySelector('#panel h2')?.textContent ?? '',
    }),
  };
}
