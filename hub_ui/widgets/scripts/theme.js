// The theme that this browser remembers. Gradio (6.31) has read the address by now, where ?__theme= comes first.
(() => {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const remembered = () => localStorage.getItem('hub-ui-theme') || '';
  const show = () => {
    if (new URL(location.href).searchParams.has('__theme')) { return; }
    const theme = remembered();
    document.body.classList.toggle('dark', theme ? theme === 'dark' : system.matches);
  };
  window.hubUiTheme = {
    remembered,
    // Empty is the system's.
    choose: (theme) => {
      if (theme) { localStorage.setItem('hub-ui-theme', theme); } else { localStorage.removeItem('hub-ui-theme'); }
      const address = new URL(location.href);
      address.searchParams.delete('__theme');
      history.replaceState(history.state, '', address);
      show();
    },
  };
  // Gradio follows the system's change first.
  system.addEventListener('change', () => setTimeout(show));
  if (remembered()) { show(); }
})();
