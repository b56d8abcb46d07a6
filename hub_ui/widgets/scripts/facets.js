// Whether mature images are shown without blur is this browser's own affair, and holds in its other tabs too.
const KEY = 'hub-ui-unblurred';
const apply = () => {
  const chosen = localStorage.getItem(KEY) === 'yes';
  element.closest('#page-browse').toggleAttribute('data-unblurred', chosen);
  const box = element.querySelector('.unblur');
  if (box) { box.checked = chosen; }
};
element.addEventListener('change', (event) => {
  if (!event.target.classList.contains('unblur')) { return; }
  localStorage.setItem(KEY, event.target.checked ? 'yes' : 'no');
  apply();
});
addEventListener('storage', apply);
watch('value', apply);
apply();
