// Ticks show at once, and only here: the server keeps what is chosen, and paints the list for other reasons alone.
const tick = (box, on) => {
  box.setAttribute('aria-checked', String(on));
  box.classList.toggle('on', on);
};
const isTicked = (box) => box.classList.contains('on');
const boxes = () => [...element.querySelectorAll('.row .pick')];
element.addEventListener('click', (event) => {
  const box = event.target.closest('.pick');
  if (!box) { return; }
  const head = element.querySelector('.head .pick');
  if (box === head) {
    const on = !boxes().every(isTicked);
    for (const each of boxes()) { tick(each, on); }
  } else {
    tick(box, !isTicked(box));
  }
  tick(head, boxes().every(isTicked));
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
