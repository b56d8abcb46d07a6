// Elements speak through attributes: data-act (click), data-input (a control's new value), data-copy (to the clipboard),
// data-copy-link (a query string, copied as a whole address),
// data-slide (a range that moves a CSS variable without asking the server).
const act = (node, extra) => trigger('act', Object.assign({}, node.dataset, extra || {}));
const copy = (node, text = node.dataset.copy) => {
  const done = () => { node.classList.add('copied'); setTimeout(() => node.classList.remove('copied'), 1200); };
  const fallback = () => {
    const area = document.createElement('textarea');
    // What lies outside of an open dialog can't be selected.
    area.value = text; (node.closest('dialog') || document.body).appendChild(area); area.select();
    document.execCommand('copy'); area.remove(); done();
  };
  if (!navigator.clipboard) { fallback(); return; }
  navigator.clipboard.writeText(text).then(done, fallback);
};
// Gradio patches elements by position, so an update during a press can make another button of the one that is pressed.
let pressed = null;
element.addEventListener('pointerdown', (event) => {
  const node = event.target.closest('[data-act]');
  pressed = node && { node, data: Object.assign({}, node.dataset) };
});
element.addEventListener('click', (event) => {
  const copied = event.target.closest('[data-copy], [data-copy-link]');
  if (copied) {
    const link = copied.dataset.copyLink;
    event.preventDefault();
    copy(copied, link === undefined ? copied.dataset.copy : `${location.origin}${location.pathname}?${link}`);
    return;
  }
  const node = event.target.closest('[data-act]');
  const isForAnotherTab = node && node.href && (event.ctrlKey || event.metaKey || event.shiftKey);
  if (node && !isForAnotherTab) {
    event.preventDefault();
    act(node, pressed && pressed.node === node ? pressed.data : {});
    pressed = null;
  }
});
element.addEventListener('change', (event) => {
  const node = event.target.closest('[data-input]');
  if (node) { act(node, { act: node.dataset.input, value: node.value }); }
});
element.addEventListener('input', (event) => {
  const node = event.target.closest('[data-slide]');
  if (node) {
    node.closest('[data-slides]').style.setProperty('--at', node.value + '%');
  }
  const shown = event.target.closest('[data-shows]');
  if (shown) {
    shown.parentElement.querySelector('output').value = Number(shown.value).toFixed(2);
    shown.style.setProperty('--value', shown.value);
    shown.closest('.layer')?.toggleAttribute('data-high', Number(shown.value) > 1);
  }
});
