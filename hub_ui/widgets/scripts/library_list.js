// A tick shows at once; the server's answer follows.
element.addEventListener('click', (event) => {
  const tick = event.target.closest('.row .pick');
  if (!tick) { return; }
  const on = tick.getAttribute('aria-checked') !== 'true';
  tick.setAttribute('aria-checked', String(on));
  tick.classList.toggle('on', on);
});
// Another page of the list is read from its top.
element.addEventListener('click', (event) => {
  if (event.target.closest('.turn [data-act]')) { element.dataset.turned = 'yes'; }
});
watch('value', () => {
  if (element.dataset.turned !== 'yes') { return; }
  element.dataset.turned = '';
  scrollTo({ top: 0, behavior: 'instant' });
});
