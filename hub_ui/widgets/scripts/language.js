// The page's language is a cookie, which goes with each request; another one needs the page anew.
const YEAR = 365 * 24 * 3600;
const language = () => element.querySelector('[data-language]');
const name = () => language().dataset.language;
const chosen = () => document.cookie.split('; ').find((part) => part.startsWith(`${name()}=`))?.split('=')[1] || '';
const showChosen = () => { if (language()) { language().value = chosen(); } };
element.addEventListener('change', (event) => {
  if (!event.target.matches('[data-language]')) { return; }
  const age = event.target.value ? YEAR : 0;
  document.cookie = `${name()}=${event.target.value}; path=/; max-age=${age}; samesite=lax`;
  // Chromium keeps a cookie a moment later, for which a look at it waits and a reload does not.
  if (chosen() === event.target.value) { location.reload(); } else { showChosen(); }
});
watch('value', showChosen);
showChosen();
