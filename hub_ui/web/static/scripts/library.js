// The library's rows: how many are ticked, those of the whole page at once with Shift, and files that are dropped.

const ticks = () => [...document.querySelectorAll(".shelf .tick input")];
let last = null;

document.addEventListener("change", count);
document.addEventListener("htmx:after:swap", count);

function count() {
  const chosen = document.getElementById("chosen");
  if (chosen) chosen.textContent = chosen.dataset.text.replace("{n}", ticks().filter((tick) => tick.checked).length);
}

document.addEventListener("click", (event) => {
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

export const isWeights = (name) => /\.(safetensors|ckpt|pt|pth|bin)$/i.test(name);

document.addEventListener("dragover", (event) => {
  if ([...event.dataTransfer.items].some((item) => item.kind === "file" && !item.type.startsWith("image/"))) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const file = [...event.dataTransfer.files].find((each) => isWeights(each.name));
  if (!file || event.target.closest("input[type=file], .image-input")) return;
  event.preventDefault();
  send(file);
});

async function send(file) {
  const body = new FormData(), toast = document.getElementById("toast");
  body.append("file", file);
  document.documentElement.classList.add("reading");
  const answer = await fetch("library-file", { method: "POST", body, headers: { "HX-Request": "true", "HX-Request-Type": "partial" } });
  document.documentElement.classList.remove("reading");
  const address = answer.headers.get("HX-Redirect");
  if (address) location.href = address;
  else toast.innerHTML = await answer.text();
}
