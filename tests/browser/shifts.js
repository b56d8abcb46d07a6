// To run before a page loads. Shifts right after a click count too: what was clicked must not jump away either. What
// moved is named at once: an element that is gone later has no name any more. Chromium takes what moves half a second
// after a click for an answer to it. A busy computer may need longer to draw the page anew, so its next frames are an
// answer too.
window.shifts = [];
(() => {
  const FRAMES = 10;
  // Frames that start by this time are an answer to the last click or key.
  let answered = -1;
  let turn = 0;
  // Requests that a click or a key has begun, and not the page by itself.
  let asked = 0;
  for (const [kind, by] of [['htmx:before:request', 1], ['htmx:finally:request', -1]]) {
    addEventListener(kind, ({detail: {ctx}}) => { if (ctx.sourceEvent?.type !== 'load') { asked += by; } });
  }
  const count = (own, left) => {
    if (own !== turn) { return; }
    const next = asked ? FRAMES : left - 1;
    if (left) { requestAnimationFrame(() => count(own, next)); } else { answered = performance.now(); }
  };
  for (const kind of ['keydown', 'input', 'pointerdown', 'click']) {
    addEventListener(kind, (event) => {
      if (!event.isTrusted) { return; }
      answered = Infinity;
      turn += 1;
      count(turn, FRAMES);
    }, true);
  }
  const names = (node) => [...node.classList].map((name) => '.' + name);
  const step = (node) => node.localName + (node.id ? '#' + node.id : names(node).join(''));
  const selector = (node) => {
    if (!(node instanceof Element)) { return node ? selector(node.parentElement) + ' ' + node.nodeName : '(gone)'; }
    const steps = [];
    for (let each = node; each && steps.length < 5; each = each.parentElement) {
      steps.unshift(step(each));
      if (each.id) { break; }
    }
    return steps.join(' > ');
  };
  const place = (box) => box.width * box.height
    ? `${Math.round(box.x)},${Math.round(box.y)} ${Math.round(box.width)}×${Math.round(box.height)}` : 'nowhere';
  const read = (entry) => ({
    value: entry.value,
    own: !entry.hadRecentInput && entry.startTime > answered,
    line: `${entry.value.toFixed(4)} after ${Math.round(entry.startTime)} ms: `
      + entry.sources.map((each) =>
        `${selector(each.node)} from ${place(each.previousRect)} to ${place(each.currentRect)}`).join('; '),
  });
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(read)))
    .observe({type: 'layout-shift', buffered: true});
})();
