// A new question is read from its first card on.
const question = () => element.querySelector('.cards')?.dataset.question;
let read = question();
watch('value', () => {
  const now = question();
  if (read && now !== read && element.offsetParent) { scrollTo({ top: 0, behavior: 'instant' }); }
  read = now;
});
