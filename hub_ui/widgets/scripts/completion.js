// What is typed into the search box is looked up after a short pause. Suggestions lie below the box, which stays in
// focus: arrows choose one, Enter, Tab or a click takes it, Escape puts them away.
const PAUSE = 40;
const box = () => document.querySelector('#search input') || document.querySelector('#search textarea');
const root = () => document.querySelector('#completion');
const options = () => [...element.querySelectorAll('[role=option]')];
// So long an answer is waited for before another text is sent.
const PATIENCE = 3000;
let chosen = -1;
let isClosed = true;
let timer = 0;
let number = 0;
let sent = null;
let received = 0;

const isOpen = () => {
  const list = element.querySelector('.completions:has(li)') || element.querySelector('.completions:has(.problem)');
  return !isClosed && list !== null && document.activeElement === box() && list.dataset.text === box().value;
};
const refresh = () => {
  const [input, open] = [box(), isOpen()];
  if (!input) { return; }
  root().toggleAttribute('data-open', open);
  const all = options();
  input.setAttribute('role', 'combobox');
  input.setAttribute('aria-autocomplete', 'list');
  input.setAttribute('aria-expanded', String(open && all.length > 0));
  input.toggleAttribute('aria-controls', false);
  input.toggleAttribute('aria-activedescendant', false);
  all.forEach((option, number) => option.setAttribute('aria-selected', String(number === chosen)));
  if (!open) { return; }
  const { left, bottom, width } = input.getBoundingClientRect();
  Object.assign(root().style, { left: `${left}px`, top: `${bottom + 4}px`, width: `${width}px` });
  if (all.length) { input.setAttribute('aria-controls', 'completions'); }
  if (all[chosen]) {
    input.setAttribute('aria-activedescendant', all[chosen].id);
    all[chosen].scrollIntoView({ block: 'nearest' });
  }
};
// One text after the other: what is typed while one is looked up is sent when its answer is there.
const send = () => {
  clearTimeout(timer);
  if (sent && performance.now() - sent.at < PATIENCE) {
    timer = setTimeout(send, PATIENCE);
    return;
  }
  const [input, at] = [box(), box().selectionStart];
  number += 1;
  sent = { at: performance.now(), number: String(number), text: input.value };
  trigger('act', {
    act: 'typed', number: sent.number, before: input.value.slice(0, at), after: input.value.slice(at),
    enters: window.hubUiEnters || 0,
  });
};
const receive = () => {
  refresh();
  const answered = element.querySelector('.completions')?.dataset.number;
  // One that came later than it was waited for took the place of the next one.
  if (!sent && Number(answered) < received && !isClosed) { send(); }
  received = Math.max(received, Number(answered) || 0);
  if (!sent || answered !== sent.number) { return; }
  const isStale = sent.text !== box().value && !isClosed;
  sent = null;
  clearTimeout(timer);
  if (isStale) { send(); }
};
const close = () => {
  isClosed = true;
  refresh();
};
const take = (option) => {
  const { before, after } = option.dataset;
  // As if it were typed, so that Gradio notices.
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box()), 'value').set.call(box(), before + after);
  box().setSelectionRange(before.length, before.length);
  box().dispatchEvent(new Event('input', { bubbles: true }));
};
const step = (by) => {
  const length = options().length + 1;
  // One of the places is none of them: the box itself.
  chosen = (chosen + 1 + by + length) % length - 1;
  refresh();
};
const keys = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Escape: close,
  Enter: () => take(options()[chosen]),
  Tab: () => take(options()[chosen]),
};

document.addEventListener('input', (event) => {
  if (event.target !== box() || event.isComposing) { return; }
  // For typed_text.js.
  window.hubUiTyped = box().value;
  chosen = -1;
  isClosed = false;
  refresh();
  clearTimeout(timer);
  timer = setTimeout(send, PAUSE);
});
document.addEventListener('keydown', (event) => {
  if (event.target !== box() || event.isComposing) { return; }
  const takes = ['Enter', 'Tab'].includes(event.key);
  if (isOpen() && event.key in keys && (chosen >= 0 || !takes)) {
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  } else if (event.key === 'Enter') {
    window.hubUiTyped = null;
    // The hubs are asked now, and the catalog with them.
    clearTimeout(timer);
    close();
  }
}, true);
// The box keeps the focus while an option is clicked.
element.addEventListener('mousedown', (event) => event.preventDefault());
element.addEventListener('click', (event) => {
  const option = event.target.closest('[role=option]');
  if (option) { take(option); }
});
document.addEventListener('focusin', refresh);
document.addEventListener('focusout', () => setTimeout(refresh));
addEventListener('resize', refresh);
watch('value', receive);
// The box may be made after this script has run.
const start = () => (box() ? refresh() : requestAnimationFrame(start));
start();
