// A LoRA that is moved keeps the focus: its button is another element afterwards.
let moved = null;
element.addEventListener('click', (event) => {
  const node = event.target.closest('[data-act=move]');
  moved = node && { ref: node.dataset.ref, by: node.dataset.by };
});
watch('value', () => {
  // The form may come before the answer about the page (nav.js).
  document.documentElement.removeAttribute('data-awaited');
  document.dispatchEvent(new CustomEvent('hub-ui-stack'));
  if (!moved) { return; }
  const [{ ref, by }, all] = [moved, [...element.querySelectorAll('[data-act=move]:not(:disabled)')]];
  moved = null;
  const own = all.filter((node) => node.dataset.ref === ref);
  (own.find((node) => node.dataset.by === by) || own[0])?.focus();
});
