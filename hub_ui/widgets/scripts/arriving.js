// A link to another page than Browse must not show that one first, while the server reads the address.
(() => {
  const page = new URLSearchParams(location.search).get('view');
  if (!['try', 'library', 'train', 'settings'].includes(page)) { return; }
  const style = document.createElement('style');
  style.id = 'arriving';
  style.textContent = '#page-browse { display: none !important; }';
  document.head.append(style);
})();
