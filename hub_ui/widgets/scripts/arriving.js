// Before the page is whole: nothing is shown that would move or go away.
(() => {
  const rule = (css) => {
    const style = document.createElement('style');
    style.textContent = css;
    document.head.append(style);
    return style;
  };
  // What this is is said until it was read.
  const READ = 'hub-ui-welcomed';
  const putAway = () => rule('.welcome { display: none !important; }');
  if (localStorage.getItem(READ)) { putAway(); }
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-welcome]')) { return; }
    localStorage.setItem(READ, 'yes');
    putAway();
  });
  // A link to another page than Browse must not show that one first, while the server reads the address. Of the Try page
  // there are the places of what comes; of the others there is nothing yet. From here on nav.js says which page is shown.
  window.hubUiPage = (address) => {
    const page = new URLSearchParams(address).get('view');
    return ['try', 'library', 'train', 'settings'].includes(page) ? page : 'browse';
  };
  const page = window.hubUiPage(location.search);
  document.documentElement.dataset.page = ['browse', 'try'].includes(page) ? page : 'none';
  document.documentElement.toggleAttribute('data-awaited', page === 'try');
  // Gradio (6.31) adds the header's parts one after the other, and each pushes the page down.
  const PARTS = ['#nav nav', '#search :is(input, textarea)', '#hubs .hub', '#sort input'];
  const PATIENCE = 20000;
  const hidden = rule('.gradio-container { visibility: hidden !important; }');
  const look = () => {
    const isWhole = PARTS.every((part) => document.querySelector(part));
    if (isWhole || performance.now() > PATIENCE) { hidden.remove(); } else { requestAnimationFrame(look); }
  };
  look();
})();
