(id) => {
  // On a phone the form fills the screen: scroll to the result.
  sessionStorage.setItem('hub-ui-generation', id);
  const tabs = document.getElementById('tabs');
  const {top, bottom} = tabs.getBoundingClientRect();
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (id && (top < 0 || bottom > innerHeight / 2)) {
    tabs.scrollIntoView({behavior: still ? 'auto' : 'smooth', block: 'start'});
  }
}
