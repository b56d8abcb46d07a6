(view, text, ...others) => {
  // A filter takes along what a person typed without Enter. Other text in the box is the server's own, and an old one
  // where the box has not been updated yet after the last click: it would bring back a filter that was taken away.
  const typed = text === window.hubUiTyped ? text : null;
  window.hubUiTyped = null;
  return [view, typed, ...others];
}
