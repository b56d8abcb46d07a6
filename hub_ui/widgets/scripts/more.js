// Asks for cards when the list is scrolled (grid.js). Apart from the list, whose own clicks must not wait for it.
document.addEventListener('hub-ui-cards', (event) => trigger('act', event.detail));
watch('value', () => document.dispatchEvent(new Event('scroll', { bubbles: true })));
