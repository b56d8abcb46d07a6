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
  // Seen in Chromium 156: a reload may still send the cookie as it was. It does not once the cookie was read.
  if (chosen() === event.target.value) { location.reload(); } else { showChosen(); }
});
watch('value', showChosen);
showChosen();
