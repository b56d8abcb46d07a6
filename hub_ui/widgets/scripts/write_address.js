(address) => {
  // The theme is kept in the address by Gradio (?__theme=dark); the view must not wipe it.
  const next = new URLSearchParams(address);
  const theme = new URLSearchParams(location.search).get('__theme');
  if (theme) { next.set('__theme', theme); }
  const query = next.toString();
  const now = new URLSearchParams(location.search).toString();
  if (query !== now) {
    // What is typed letter by letter is one step back.
    const method = window.hubUiSeen && !window.hubUiTyping ? 'pushState' : 'replaceState';
    history[method](history.state, '', query ? '?' + query : location.pathname);
  }
  window.hubUiSeen = true;
  window.hubUiTyping = false;
}
