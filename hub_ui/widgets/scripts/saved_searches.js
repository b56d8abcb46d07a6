// A menu over the list: it closes with Escape, a click elsewhere, and when a search is opened.
const menu = () => element.querySelector('details');
let isOpen = false;
const close = () => { isOpen = false; menu().open = false; };
element.addEventListener('toggle', () => { isOpen = menu().open; }, true);
// A new list of searches must not close it.
watch('value', () => { menu().open = isOpen; });
element.addEventListener('submit', (event) => {
  event.preventDefault();
  const box = event.target.querySelector('input');
  trigger('act', { act: 'save-search', name: box.value });
  box.value = '';
});
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-act=open-search]')) { close(); }
});
element.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !menu().open) { return; }
  // The panel beside the list stays.
  event.stopPropagation();
  close();
  menu().querySelector('summary').focus();
});
document.addEventListener('pointerdown', (event) => {
  if (!element.contains(event.target) && menu()) { close(); }
});
