// What is typed is looked up at once, one text after the other: what is typed meanwhile follows the answer.
const PATIENCE = 2000;
let number = 0;
let sent = null;
let shown = null;
const look = () => element.querySelector('.look');
const box = () => element.querySelector('.look input');
const send = () => {
  if (sent && performance.now() - sent.at < PATIENCE) { return; }
  number += 1;
  sent = { at: performance.now(), number: String(number), text: box().value };
  window.hubUiTyping = new URLSearchParams(location.search).has('lq');
  trigger('act', { act: 'search', value: sent.text, number: sent.number });
};
element.addEventListener('input', (event) => { if (event.target === box()) { send(); } });
element.addEventListener('keydown', (event) => {
  if (event.target === box() && event.key === 'Enter') { sent = null; send(); }
});
watch('value', () => {
  if (!look()) { return; }
  if (sent && look().dataset.number === sent.number) {
    const isStale = sent.text !== box().value;
    sent = null;
    if (isStale) { send(); return; }
  }
  // Text that came by a filter, an address or the browser's back button; never over what is being typed.
  if (!sent && shown !== look().dataset.text && box().value !== look().dataset.text) { box().value = look().dataset.text; }
  shown = look().dataset.text;
});
