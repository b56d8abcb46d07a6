// A card keeps its place on the screen when the panel beside the grid opens or closes and the columns change: the one
// that was clicked, or the first in view.
const HEADER = 56;
let anchor = null;
let clicked = '';
let width = 0;
const hits = () => [...element.querySelectorAll('.card .hit')];
const inView = (hit) => {
  const place = hit.getBoundingClientRect();
  return place.bottom > HEADER && place.top < innerHeight;
};
const remember = () => {
  // A page that gets shorter scrolls before the observer below is called.
  if (element.clientWidth !== width) { return; }
  const seen = hits().filter(inView);
  const hit = seen.find((each) => each.dataset.ref === clicked) || seen[0];
  anchor = hit ? { ref: hit.dataset.ref, top: hit.getBoundingClientRect().top } : null;
};
element.addEventListener('click', (event) => {
  const hit = event.target.closest('.hit');
  if (hit) { clicked = hit.dataset.ref; remember(); }
}, true);
addEventListener('scroll', remember, { passive: true });
new ResizeObserver(() => {
  const now = element.clientWidth;
  if (now && width && now !== width && anchor) {
    const hit = hits().find((each) => each.dataset.ref === anchor.ref);
    if (hit) { scrollBy({ top: hit.getBoundingClientRect().top - anchor.top, behavior: 'instant' }); }
  }
  if (now) { width = now; remember(); }
}).observe(element);

// While hubs are asked, their cards come in between those that are there. Once a person scrolls, these stay in place.
// A page that gets shorter scrolls too, so it counts only right after a wheel, a finger, a key or the scroll bar.
let told = false;
let meant = -Infinity;
const mean = () => { meant = performance.now(); };
addEventListener('wheel', mean, { passive: true });
addEventListener('touchmove', mean, { passive: true });
addEventListener('mousedown', (event) => { if (event.target === document.documentElement) { mean(); } });
addEventListener('keydown', (event) => { if (!event.target.closest('input, textarea, select')) { mean(); } });
addEventListener('scroll', () => {
  const waiting = element.offsetParent && element.querySelector('.ghost');
  if (waiting && !told && performance.now() - meant < 1500) { told = true; trigger('act', { act: 'scrolled' }); }
}, { passive: true });
watch('value', () => {
  const waiting = element.querySelector('.ghost');
  if (!waiting) { told = false; }
  // A new question is read from its first answer on.
  if (waiting && !hits().length && element.offsetParent) { scrollTo({ top: 0, behavior: 'instant' }); }
  remember();
});
