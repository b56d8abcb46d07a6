// What a word of the glossary means, beside it: on hover once the pointer rests, and on focus.

const REST = 300;
let timer = 0;

// Content that comes under a pointer that rests has no note: only a pointer that moves opens one.
document.addEventListener("pointermove", (event) => {
  const term = event.target.closest?.(".term");
  clearTimeout(timer);
  if (term && term !== shown()) timer = setTimeout(() => open(term), REST);
  else if (!term) close();
});
document.addEventListener("focusin", (event) => (event.target.matches(".term:focus-visible") ? open(event.target) : close()));
document.addEventListener("keydown", (event) => event.key === "Escape" && close());

const shown = () => document.querySelector(".term[aria-describedby=note]");

function open(term) {
  close();
  const note = Object.assign(document.createElement("p"), { id: "note", role: "tooltip", textContent: term.dataset.text });
  term.setAttribute("aria-describedby", "note");
  (term.closest("dialog") ?? document.body).append(note);
  const { top, left } = place(term.getBoundingClientRect(), note.getBoundingClientRect(), innerWidth, innerHeight);
  Object.assign(note.style, { top: `${top}px`, left: `${left}px` });
}

function close() {
  shown()?.removeAttribute("aria-describedby");
  document.getElementById("note")?.remove();
}

// Below the word, or above it where there is no room; within the window.
export function place(word, note, width, height) {
  const below = word.bottom + 6;
  return {
    top: below + note.height > height ? Math.max(0, word.top - 6 - note.height) : below,
    left: Math.max(8, Math.min(word.left, width - note.width - 8)),
  };
}
