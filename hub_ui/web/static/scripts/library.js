// The library's rows: how many are ticked, and all between two with Shift.

let last = null;

globalThis.document?.addEventListener("change", count);
globalThis.document?.addEventListener("htmx:after:swap", count);

function count() {
  const chosen = document.getElementById("chosen");
  if (chosen) chosen.textContent = chosen.dataset.text.replace("{n}", new FormData(chosen.closest("form")).getAll("ref").length);
}

globalThis.document?.addEventListener("click", (event) => {
  if (!event.target.matches(".shelf .tick input")) return;
  const all = [...document.querySelectorAll(".shelf .tick input")];
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
