// The page changes at the click that asks for another one, and not when the server answers: what it is made of then does
// not move, or go away, by itself. The server has the last word.
const root = document.documentElement;
const PATIENCE = 30000;
const LEADS = { try: 'try', example: 'try', open: 'browse', search: 'browse' };
let expected = '';
let patience = 0;
const settle = () => {
  expected = '';
  clearTimeout(patience);
  root.dataset.page = element.querySelector('h1').dataset.name;
  root.removeAttribute('data-awaited');
};
// The Try page is awaited until its form is that of the address (try.css).
const show = (page, hasForm) => {
  if (page === root.dataset.page) { return; }
  clearTimeout(patience);
  expected = page;
  root.dataset.page = page;
  root.toggleAttribute('data-awaited', page === 'try' && !hasForm);
  patience = setTimeout(settle, PATIENCE);
};
const isFilled = () => {
  const { loras } = element.querySelector('[data-loras]')?.dataset ?? {};
  return document.querySelector(`#page-try [data-stack="${loras}"]`) !== null;
};
// Once its form was there it is awaited no more: the next form may come before the header that goes with it.
const release = () => { if (isFilled()) { element.querySelector('style').textContent = ''; } };
document.addEventListener('hub-ui-stack', release);
const lead = ({ act, page, query }) => {
  if (act === 'go') { show(page, isFilled()); }
  if (act === 'address') { show(window.hubUiPage(query), false); }
  if (act in LEADS) { show(LEADS[act], false); }
};
document.addEventListener('click', (event) => {
  const node = event.target.closest('[data-act]');
  if (node && !node.disabled && !event.ctrlKey && !event.metaKey && !event.shiftKey) { lead(node.dataset); }
}, true);
watch('value', () => {
  if (!expected || element.querySelector('h1').dataset.name === expected) { settle(); }
  release();
});
// The browser's back and forward buttons: the page follows the address without being loaded again.
addEventListener('popstate', () => {
  show(window.hubUiPage(location.search), false);
  trigger('act', { act: 'address', query: location.search });
});
