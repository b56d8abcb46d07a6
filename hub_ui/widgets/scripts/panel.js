// The panel's images and videos: arrows, wheel, swipe and keys step through them, a click shows one large with how it
// was made. Words and what is shown large come from the panel's own HTML (templates/gallery.html).
const still = matchMedia('(prefers-reduced-motion: reduce)');
const shown = new Set();
let goal = 0;
let stepped = 0;
let opened = '';
const strip = () => element.querySelector('.strip:not(.empty)');
const figures = () => [...element.querySelectorAll('.strip > figure')];
const mediaOf = (figure) => figure.querySelector('img, video');
const at = () => Math.round(strip().scrollLeft / Math.max(1, strip().clientWidth));
const go = (index) => {
  goal = Math.max(0, Math.min(figures().length - 1, index));
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
  for (const figure of figures()) { figure.classList.toggle('shown', shown.has(mediaOf(figure).getAttribute('src'))); }
  const number = element.querySelector('.counted b');
  if (number && strip()) { number.textContent = at() + 1; }
};
const reveal = (media) => { shown.add(media.getAttribute('src')); refresh(); };
// Blurred until a person asks for it, here or in the filters.
const isHidden = (media) => media.classList.contains('blurred') && getComputedStyle(media).filter !== 'none';

// --- Videos: never by themselves. They play while they are pointed at or in focus, unless less motion is asked for ----

const play = (figure, isWanted) => {
  const video = figure.querySelector('video');
  if (!video || isHidden(video)) { return; }
  if (isWanted && video.paused) {
    // Without a mute no browser lets it play.
    video.muted = true;
    video.play().catch(() => figure.classList.remove('playing'));
  } else if (!isWanted) {
    video.pause();
  }
  figure.classList.toggle('playing', isWanted);
};
const hover = (event, isWanted) => {
  const figure = event.target.closest?.('.strip > figure');
  if (!figure || still.matches || event.pointerType === 'touch' || figure.contains(event.relatedTarget)) { return; }
  play(figure, isWanted);
};
element.addEventListener('pointerover', (event) => hover(event, true));
element.addEventListener('pointerout', (event) => hover(event, false));
element.addEventListener('focusin', (event) => { if (event.target.matches('.play')) { hover(event, true); } });
element.addEventListener('focusout', (event) => { if (event.target.matches('.play')) { hover(event, false); } });

// --- The lightbox, outside of the panel, which is written anew while it stands open ------------------------------------

const box = document.createElement('dialog');
box.className = 'lightbox';
// Gradio (6.31) keeps what a style sheet says of small screens to what lies within this element.
element.closest('.contain').append(box);
let large = 0;
const show = (index) => {
  const all = figures();
  large = (index + all.length) % all.length;
  const [figure, media] = [all[large], mediaOf(all[large])];
  const copied = media.cloneNode();
  copied.src = media.dataset.full || media.getAttribute('src');
  copied.removeAttribute('tabindex');
  copied.removeAttribute('loading');
  copied.classList.toggle('blurred', isHidden(media));
  if (copied instanceof HTMLVideoElement) { copied.controls = true; }
  const frame = [copied];
  const button = figure.querySelector('.reveal');
  if (button && isHidden(media)) { frame.push(button.cloneNode(true)); }
  box.querySelector('figure').replaceChildren(...frame);
  box.querySelector('section').replaceChildren(...figure.querySelector('.made').cloneNode(true).childNodes);
  box.querySelector('section').scrollTop = 0;
  box.querySelector('.number b').textContent = large + 1;
  for (const part of box.querySelectorAll('[data-do=back], [data-do=next], .number')) { part.hidden = all.length < 2; }
  go(large);
};
const look = (figure) => {
  const media = mediaOf(figure);
  if (isHidden(media)) { reveal(media); return; }
  play(figure, false);
  const parts = element.querySelector('.gallery > .large');
  box.setAttribute('aria-label', parts.dataset.label);
  box.replaceChildren(...parts.cloneNode(true).childNodes);
  show(figures().indexOf(figure));
  box.showModal();
  box.querySelector('[data-do=close]').focus({ focusVisible: false });
};
const STEPS = { back: -1, next: 1, ArrowLeft: -1, ArrowRight: 1 };
box.addEventListener('click', (event) => {
  const name = event.target.dataset.do;
  const copied = event.target.closest('[data-copy]');
  const clicked = event.target.closest('[data-act]');
  if (STEPS[name]) { show(large + STEPS[name]); }
  if (copied) { copy(copied); }
  if (event.target.matches('.reveal, .blurred')) {
    reveal(mediaOf(figures()[large]));
    show(large);
  }
  if (clicked) { act(clicked); }
  if (name === 'close' || clicked || event.target.matches('.stage, .stage > figure')) { box.close(); }
});
box.addEventListener('close', () => {
  box.replaceChildren();
  if (document.activeElement === document.body && strip()) { strip().focus({ preventScroll: true }); }
});
box.addEventListener('keydown', (event) => {
  // What the page does with keys is not meant here. A video has arrows of its own.
  event.stopPropagation();
  if (STEPS[event.key] && !event.target.matches('video')) { event.preventDefault(); show(large + STEPS[event.key]); }
});
let start = null;
box.addEventListener('touchstart', (event) => {
  start = event.target.closest('.stage') && event.touches.length === 1 ? event.touches[0] : null;
}, { passive: true });
box.addEventListener('touchend', (event) => {
  if (!start) { return; }
  const [x, y] = [event.changedTouches[0].clientX - start.clientX, event.changedTouches[0].clientY - start.clientY];
  if (Math.abs(x) > 40 && Math.abs(x) > Math.abs(y)) { show(large - Math.sign(x)); }
}, { passive: true });

// --- In the panel ------------------------------------------------------------------------------------------------------

const share = async (button) => {
  const url = new URL(button.dataset.share, location.href).href;
  if (navigator.share && matchMedia('(hover: none)').matches) {
    // Who closes the phone's own dialog wants nothing else.
    await navigator.share({ url, title: button.dataset.title }).catch(() => {});
    return;
  }
  copy(button, url);
  const said = button.querySelector('.done');
  said.textContent = said.dataset.done;
  setTimeout(() => { said.textContent = ''; }, 2000);
};
element.addEventListener('click', (event) => {
  const shared = event.target.closest('[data-share]');
  if (shared) { share(shared); return; }
  const arrow = event.target.closest('[data-step]');
  if (arrow) { go(goal + Number(arrow.dataset.step)); return; }
  const figure = event.target.closest('.strip > figure');
  if (!figure || event.target.closest('.use')) { return; }
  if (event.target.closest('.play')) { play(figure, figure.querySelector('video').paused); return; }
  look(figure);
});
element.addEventListener('keydown', (event) => {
  if (!event.target.classList.contains('strip')) { return; }
  if (STEPS[event.key]) { event.preventDefault(); event.stopPropagation(); go(goal + STEPS[event.key]); }
  if (event.key === 'Enter') { event.preventDefault(); look(figures()[at()]); }
});
element.addEventListener('wheel', (event) => {
  const inside = event.target.closest('.strip:not(.empty)');
  const next = goal + Math.sign(event.deltaY);
  // At either end the wheel scrolls the panel again, and sideways a touchpad scrolls by itself.
  if (!inside || Math.abs(event.deltaX) > Math.abs(event.deltaY) || next < 0 || next >= figures().length) { return; }
  event.preventDefault();
  if (performance.now() - stepped > 250) { stepped = performance.now(); go(next); }
}, { passive: false });
element.addEventListener('scrollend', (event) => {
  if (event.target === strip()) { goal = at(); }
}, true);
element.addEventListener('scroll', (event) => { if (event.target === strip()) { refresh(); } }, true);
watch('value', refresh);
refresh();
