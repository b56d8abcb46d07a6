// What is typed goes to the app by a plain request, never by an event of Gradio, and is gone from the page at once.
const say = (text, isProblem) => {
  const line = element.querySelector('[data-said]');
  line.textContent = text;
  line.classList.toggle('empty', !text);
  line.classList.toggle('problem', isProblem);
};
let isTold = false;
const send = async (where, values) => {
  say('…', false);
  try {
    const answer = await fetch(where, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Hub-UI': 'settings' },
      body: JSON.stringify(values),
    });
    const told = await answer.json();
    if (told.said) { isTold = true; trigger('act', { act: 'shown', said: told.said }); } else { say(told.detail, true); }
  } catch (error) {
    say(String(error.message || error), true);
  }
};
element.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.dataset.form === 'key') {
    const input = form.elements.key;
    const key = input.value;
    input.value = '';
    input.blur();
    send('settings/keys', { do: 'save', hub: form.closest('[data-hub]').dataset.hub, key });
  } else if (form.dataset.form === 'settings') {
    const values = { endpoints: {} };
    for (const input of form.querySelectorAll('input:not(:disabled)')) {
      const [group, name] = input.name.split('.');
      if (name) { values[group][name] = input.value; } else { values[group] = input.value; }
    }
    send('settings/values', values);
  }
});
element.addEventListener('click', (event) => {
  const place = event.target.closest('[data-go]');
  if (place) {
    const address = `${place.dataset.go}?_target_url=${encodeURIComponent('/?view=settings')}`;
    // Where the page stands within another one, browsers keep the cookies of a sign-in from it.
    if (window.top === window) { window.location.assign(address); } else { window.open(address, '_blank'); }
  }
  const button = event.target.closest('[data-key]');
  if (button) { send('settings/keys', { do: button.dataset.key, hub: button.closest('[data-hub]').dataset.hub }); }
});

// The theme is remembered by this browser (see theme.js).
const showTheme = () => {
  const select = element.querySelector('[data-theme]');
  if (select) { select.value = window.hubUiTheme.remembered(); }
};
element.addEventListener('change', (event) => {
  if (event.target.matches('[data-theme]')) { window.hubUiTheme.choose(event.target.value); }
});
watch('value', () => {
  showTheme();
  // The form that had the focus may be gone.
  if (isTold) { element.querySelector('[data-said]').focus({ preventScroll: true }); }
  isTold = false;
});
showTheme();
