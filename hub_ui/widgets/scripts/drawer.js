// Open or closed is the browser's own business: the server is asked for nothing but the news, when it opens.
const drawer = () => document.querySelector('#drawer');
const isOpen = () => drawer() !== null && drawer().hasAttribute('data-open');
const show = (open) => {
  drawer().toggleAttribute('data-open', open);
  const next = document.querySelector(open ? '#drawer [data-drawer]' : '#downloads [data-drawer]');
  if (next) { next.focus(); }
  if (open) { trigger('act', {act: 'look'}); }
};
document.addEventListener('click', (event) => {
  if (event.target.closest('[data-drawer]')) { show(!isOpen()); }
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && isOpen()) { show(false); }
});
