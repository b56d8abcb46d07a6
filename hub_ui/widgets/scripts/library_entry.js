// A note is saved when the field is left, or by its button. What is typed stays until the server has said that it is kept.
let shown = '';
let opener = '';

// The list makes way at the click, not when the server answers: what moves then moves because of the click.
const PATIENCE = 30000;
const root = element.closest('#page-library');
let expected = null;
let patience = 0;
const follow = () => {
  const isOpen = element.querySelector('.entry') !== null;
  if (expected !== null && expected !== isOpen) { return; }
  expected = null;
  root.toggleAttribute('data-entry', isOpen);
};
document.addEventListener('click', (event) => {
  const edit = event.target.closest('#shelf [data-act=edit]');
  if (!edit && !event.target.closest('#entry [data-act=edit-close]')) { return; }
  expected = edit !== null && edit.getAttribute('aria-expanded') !== 'true';
  root.toggleAttribute('data-entry', expected);
  clearTimeout(patience);
  patience = setTimeout(() => { expected = null; follow(); }, PATIENCE);
}, true);

const area = () => element.querySelector('textarea');
const status = () => element.querySelector('.saving [role=status]');
const say = (what) => { status().textContent = status().dataset[what]; };
const save = () => {
  if (!area() || area().value.trim() === area().dataset.saved) { return; }
  say('saving');
  trigger('act', { act: 'note', ref: area().dataset.note, value: area().value });
};
element.addEventListener('input', (event) => { if (event.target === area()) { say('unsaved'); } });
element.addEventListener('focusout', (event) => { if (event.target === area()) { save(); } });
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-save-note]')) { save(); }
  const add = event.target.closest('[data-add]');
  if (add) { enter(add.parentElement.querySelector('input')); }
});
const enter = (field) => {
  if (!field.value.trim()) { return; }
  trigger('act', { act: field.dataset.adds, ref: field.dataset.ref, value: field.value });
  field.value = '';
};
element.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.dataset.adds) { event.preventDefault(); enter(event.target); }
  if (event.key === 'Escape') { event.stopPropagation(); save(); element.querySelector('.close')?.click(); }
});
addEventListener('beforeunload', (event) => {
  if (area() && area().value.trim() !== area().dataset.saved) { save(); event.preventDefault(); }
});
// Gradio patches elements by position: fields of another entry keep what was typed, unless they are set.
watch('value', () => {
  follow();
  const panel = element.querySelector('.entry');
  const ref = panel ? panel.dataset.ref : '';
  for (const row of document.querySelectorAll('#shelf .row')) {
    const isOpen = row.dataset.ref === ref;
    row.classList.toggle('open', isOpen);
    row.querySelector('[data-act=edit]')?.setAttribute('aria-expanded', String(isOpen));
  }
  if (ref !== shown) {
    if (panel) {
      area().value = area().defaultValue;
      for (const field of element.querySelectorAll('[data-adds]')) { field.value = ''; }
      opener = ref;
      panel.focus({ preventScroll: true });
      panel.scrollTop = 0;
    } else {
      const rows = [...document.querySelectorAll('#shelf .row')];
      rows.find((row) => row.dataset.ref === opener)?.querySelector('[data-act=edit]')?.focus();
    }
    shown = ref;
  }
  if (panel) {
    const weight = element.querySelector('#entry-weight');
    weight.value = weight.getAttribute('value');
    const base = element.querySelector('#entry-base');
    base.value = (base.querySelector('option[selected]') || base.options[0]).value;
  }
});
