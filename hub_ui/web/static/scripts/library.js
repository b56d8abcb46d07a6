// The library's rows: how many are ticked, all between two with Shift, and the way back from the panel.

const ticks = () => [...document.querySelectorAll(".shelf .tick input")];
const bar = () => document.getElementById("bulk");
const chosen = () => (bar() ? new FormData(bar()).getAll("ref") : []);
let last = null;
let turned = [];

globalThis.document?.addEventListener("change", count);
globalThis.document?.addEventListener("htmx:after:swap", () => {
  if (turned.length && bar()) bring(turned.splice(0));
  count();
});

function count() {
  const text = document.getElementById("chosen");
  if (text) text.textContent = text.dataset.text.replace("{n}", chosen().length);
}

// What is ticked goes along when the list's page turns: what is not on the new one, as fields of the bar.
globalThis.document?.addEventListener("click", (event) => {
  if (event.target.closest?.(".turn a")) turned = chosen();
});

function bring(refs) {
  for (const ref of refs) {
    const tick = ticks().find((tick) => tick.value === ref);
    if (tick) tick.checked = true;
    else bar().append(Object.assign(document.createElement("input"), { type: "hidden", name: "ref", value: ref }));
  }
}

globalThis.document?.addEventListener("click", (event) => {
  if (!event.target.matches(".shelf .tick input")) return;
  const all = ticks();
  if (event.shiftKey && all.includes(last)) {
    for (const tick of between(all, last, event.target)) tick.checked = event.target.checked;
    count();
  }
  last = event.target;
});

// Those from one to the other, both included.
export function between(all, one, other) {
  const [from, to] = [all.indexOf(one), all.indexOf(other)].sort((a, b) => a - b);
  return all.slice(from, to + 1);
}

// Closing the panel leads back to the row.
globalThis.document?.addEventListener("click", (event) => {
  const row = event.target.closest?.(".shelf .hit")?.closest("tr");
  if (!row) return;
  document.getElementById("panel").dataset.from = row.id;
  for (const each of row.parentElement.children) each.classList.toggle("open", each === row);
});
