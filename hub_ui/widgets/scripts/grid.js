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
  if (waiting && !element.querySelector('.card .hit') && element.offsetParent) { scrollTo({ top: 0, behavior: 'instant' }); }
});
