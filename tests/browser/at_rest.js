// Nothing is asked for or followed any more, and the pictures that can be seen are there.
() => document.readyState === 'complete' && 'htmx' in window
  && !document.querySelector('.htmx-request, .ghost, .dot.asked, .frame.making, #downloads-stream')
  && [...document.images].every((picture) => {
    const place = picture.getBoundingClientRect();
    const seen = picture.checkVisibility() && place.top < innerHeight && place.left < innerWidth;
    return picture.complete || !seen;
  })
