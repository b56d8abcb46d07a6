// An action takes along what stands in its field.
const run = (action) => {
  const field = action.querySelector('input');
  trigger('act', { act: 'bulk', action: action.querySelector('[data-bulk]').dataset.bulk, value: field ? field.value : '' });
  const menu = action.closest('details');
  if (menu) { menu.open = false; }
};
element.addEventListener('click', (event) => {
  const choice = event.target.closest('[data-act=select-none], [data-act=select-found]');
  if (choice) {
    const on = choice.dataset.act === 'select-found';
    for (const box of document.querySelectorAll('#shelf .pick')) {
      box.setAttribute('aria-checked', String(on));
      box.classList.toggle('on', on);
    }
  }
  if (event.target.closest('[data-bulk]')) { run(event.target.closest('.bulk-action')); }
});
element.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.matches('.bulk-action input')) { event.preventDefault(); run(event.target.closest('.bulk-action')); }
});
