// When a hub went down, by this browser's clock, and how long one that is asked too often wants to wait: then it is asked
// again once, by itself.
const ends = new Map();
const write = (node, text) => { if (node.textContent !== text) { node.textContent = text; } };
const refresh = () => {
  for (const node of element.querySelectorAll('[data-since]')) {
    const time = new Date(Number(node.dataset.since) * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    write(node, node.dataset.words.replace('{time}', time));
  }
  for (const node of element.querySelectorAll('[data-until]')) {
    const { until, words } = node.dataset;
    const { hub } = node.closest('.hub').querySelector('[data-hub]').dataset;
    const key = `${hub} ${until}`;
    // Clocks differ: what counts is how long it was from the server's words on.
    if (!ends.has(key)) {
      const seconds = Number(node.textContent.match(/\d+/)?.[0] || 0);
      ends.set(key, { at: performance.now() + 1000 * seconds, isAsked: false });
    }
    const end = ends.get(key);
    const left = Math.ceil((end.at - performance.now()) / 1000);
    if (left > 0) { write(node, words.replace('{n}', left)); }
    if (left <= 0 && !end.isAsked) {
      end.isAsked = true;
      trigger('act', { act: 'retry', hub });
    }
  }
};
setInterval(refresh, 1000);
watch('value', refresh);
refresh();
