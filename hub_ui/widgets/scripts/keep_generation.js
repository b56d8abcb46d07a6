(id) => {
  // On a phone the form fills the screen: scroll to the result, unless it is being looked at.
  sessionStorage.setItem('hub-ui-generation', id);
  const tabs = document.getElementById('tabs');
  const {top, bottom} = tabs.getBoundingClientRect();
  const pair = document.getElementById('pair').getBoundingClientRect();
  const isSeen = pair.top < innerHeight / 2 && pair.bottom > innerHeight / 4;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (id && !isSeen && (top < 0 || bottom > innerHeight / 2)) {
    tabs.scrollIntoView({behavior: still ? 'auto' : 'smooth', block: 'start'});
  }
}
