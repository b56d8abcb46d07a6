// The search box: below it, keys and values for the word at the cursor (arrows choose, Enter and Tab take), after the list.

const list = () => document.getElementById("suggestions");
let latest = 0;

document.addEventListener("input", (event) => event.target.id === "q" && ask(event.target));
document.addEventListener("focusout", (event) => event.target.id === "q" && setTimeout(close, 200));
document.addEventListener("submit", (event) => event.target.id === "view" && close());

async function ask(box) {
  const number = ++latest;
  await new Promise((resolve) => setTimeout(resolve, 80));
  if (number !== latest) return;
  const at = box.selectionStart;
  const query = new URLSearchParams({ before: box.value.slice(0, at), after: box.value.slice(at) });
  const text = await fetch(`suggestions?${query}`).then((answer) => (answer.ok ? answer.text() : ""));
  if (number !== latest || document.activeElement !== box) return;
  list().replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
  list().hidden = !list().firstElementChild;
  const said = { role: "combobox", "aria-controls": "suggestions", "aria-expanded": !list().hidden };
  for (const [name, value] of Object.entries(said)) box.setAttribute(name, value);
}

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "q" || list().hidden) return;
  const options = [...list().querySelectorAll("[role=option]")];
  const at = options.findIndex((option) => option.ariaSelected === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    select(options, next(at, options.length, event.key === "ArrowDown" ? 1 : -1));
  } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) {
    event.stopPropagation();
    take(options[at]);
  } else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
}, true);

document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("#suggestions [role=option]");
  if (option) { event.preventDefault(); take(option); }
});

// One before the first is none, and the one before that the last.
export function next(at, length, by) {
  const to = at + by;
  return to >= length ? -1 : to < -1 ? length - 1 : to;
}

function select(options, at) {
  options.forEach((option, index) => (option.ariaSelected = String(index === at)));
  const box = document.getElementById("q");
  if (at < 0) box.removeAttribute("aria-activedescendant");
  else box.setAttribute("aria-activedescendant", options[at].id);
}

function take(option) {
  const box = document.getElementById("q");
  box.value = option.dataset.before + option.dataset.after;
  box.setSelectionRange(option.dataset.before.length, option.dataset.before.length);
  close();
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

function close() {
  latest++;
  list()?.replaceChildren();
  list()?.toggleAttribute("hidden", true);
  document.querySelector("#q[role]")?.setAttribute("aria-expanded", "false");
}
