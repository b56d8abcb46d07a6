// The panel's images: arrows, wheel, swipe and keys step through them, a click shows one large.
const still = matchMedia('(prefers-reduced-motion: reduce)');
const shown = new Set();
let goal = 0;
let stepped = 0;
let opened = '';
const strip = () => element.querySelector('.strip:not(.empty)');
const pictures = () => [...element.querySelectorAll('.strip img')];
const at = () => Math.round(strip().scrollLeft / Math.max(1, strip().clientWidth));
const go = (index) => {
  goal = Math.max(0, Math.min(pictures().length - 1, index));
  strip().scrollTo({ left: goal * strip().clientWidth, behavior: still.matches ? 'instant' : 'smooth' });
};
const refresh = () => {
  const panel = element.querySelector('.detail');
  if (panel && panel.dataset.lora !== opened) {
    // Another LoRA is read from its first image on.
    if (strip()) { strip().scrollTo({ left: 0, behavior: 'instant' }); }
    goal = 0;
  }
  opened = panel ? panel.dataset.lora : '';
  for (const picture of pictures()) { picture.closest('figure').classList.toggle('shown', shown.has(picture.src)); }
  const number = element.querySelector('.counted b');
  if (number && strip()) { number.textContent = at() + 1; }
};
const reveal = (picture) => { shown.add(picture.src); refresh(); };
// Blurred until a person asks for it, here or in the filters.
const isHidden = (picture) => picture.classList.contains('blurred') && getComputedStyle(picture).filter !== 'none';

// Outside of the panel, which is written anew while it stands open.
const box = document.createElement('dialog');
box.className = 'lightbox';
box.setAttribute('aria-label', 'Image');
box.innerHTML = '<button data-do="close" aria-label="Close image">✕</button>'
  + '<button data-do="back" aria-label="Previous image">‹</button><figure><img alt=""><figcaption></figcaption></figure>'
  + '<button data-do="next" aria-label="Next image">›</button>';
element.closest('.gradio-container').append(box);
let large = 0;
const show = (index) => {
  const all = pictures();
  large = (index + all.length) % all.length;
  const [picture, image] = [all[large], box.querySelector('img')];
  image.setAttribute('src', picture.dataset.full || picture.getAttribute('src'));
  image.alt = picture.alt;
  image.classList.toggle('blurred', isHidden(picture));
  box.querySelector('figcaption').textContent = picture.title;
  for (const arrow of box.querySelectorAll('[data-do=back], [data-do=next]')) { arrow.hidden = all.length < 2; }
  go(large);
};
const look = (picture) => {
  if (isHidden(picture)) { reveal(picture); return; }
  show(pictures().indexOf(picture));
  box.showModal();
};
const STEPS = { back: -1, next: 1, ArrowLeft: -1, ArrowRight: 1 };
box.addEventListener('click', (event) => {
  const name = event.target.dataset.do;
  if (STEPS[name]) { show(large + STEPS[name]); return; }
  const image = box.querySelector('img');
  if (event.target === image && image.classList.contains('blurred')) {
    reveal(pictures()[large]);
    image.classList.remove('blurred');
    return;
  }
  if (name === 'close' || event.target !== image) { box.close(); }
});
box.addEventListener('keydown', (event) => {
  // What the page does with keys is not meant here.
  event.stopPropagation();
  if (STEPS[event.key]) { event.preventDefault(); show(large + STEPS[event.key]); }
});
let start = null;
box.addEventListener('touchstart', (event) => { start = event.touches[0].clientX; }, { passive: true });
box.addEventListener('touchend', (event) => {
  const moved = event.changedTouches[0].clientX - start;
  if (Math.abs(moved) > 40) { show(large - Math.sign(moved)); }
}, { passive: true });

element.addEventListener('click', (event) => {
  const arrow = event.target.closest('[data-step]');
  if (arrow) { go(goal + Number(arrow.dataset.step)); return; }
  const figure = event.target.closest('.strip figure');
  if (figure && !event.target.closest('.use')) { look(figure.querySelector('img')); }
});
element.addEventListener('keydown', (event) => {
  if (!event.target.classList.contains('strip')) { return; }
  if (STEPS[event.key]) { event.preventDefault(); event.stopPropagation(); go(goal + STEPS[event.key]); }
  if (event.key === 'Enter') { event.preventDefault(); look(pictures()[at()]); }
});
element.addEventListener('wheel', (event) => {
  const inside = event.target.closest('.strip:not(.empty)');
  const next = goal + Math.sign(event.deltaY);
  // At either end the wheel scrolls the panel again, and sideways a touchpad scrolls by itself.
  if (!inside || Math.abs(event.deltaX) > Math.abs(event.deltaY) || next < 0 || next >= pictures().length) { return; }
  event.preventDefault();
  if (performance.now() - stepped > 250) { stepped = performance.now(); go(next); }
}, { passive: false });
element.addEventListener('scrollend', (event) => {
  if (event.target === strip()) { goal = at(); }
}, true);
element.addEventListener('scroll', (event) => { if (event.target === strip()) { refresh(); } }, true);
watch('value', refresh);
refresh();
