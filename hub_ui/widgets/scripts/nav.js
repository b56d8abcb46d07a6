// The browser's back and forward buttons: the page follows the address without being loaded again.
addEventListener('popstate', () => trigger('act', { act: 'address', query: location.search }));
// From now on the server says which page is shown: see arriving.js.
watch('value', () => { document.getElementById('arriving')?.remove(); });
