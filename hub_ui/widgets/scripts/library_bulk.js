// A file is saved as soon as it is there, and the link stays for another time.
let saved = '';
watch('value', () => {
  const link = element.querySelector('a[data-save]');
  if (link && link.href !== saved) { link.click(); }
  saved = link ? link.href : '';
});
element.addEventListener('click', (event) => {
  const others = event.target.closest('[data-others]');
  if (!others) { return; }
  const kept = others.closest('fieldset').querySelector('input:checked');
  trigger('act', { act: 'remove-duplicates', number: others.dataset.others, keep: kept ? kept.value : '' });
});
