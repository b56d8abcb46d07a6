// "/" goes to the search box, arrows step through the cards, Escape closes what lies on top.

import { closePanel } from "./panel.js";

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    document.getElementById("q")?.select();
  } else if (event.key === "Escape") {
    escape(event);
  } else if (event.key.startsWith("Arrow") && !isTyping) {
    step(event);
  } else if (event.key === "ArrowDown" && event.target.id === "q") {
    document.querySelector("#cards .hit")?.focus();
  } else if (!isTyping) {
    document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
  }
});

function escape(event) {
  const menu = event.target.closest("details.menu[open]") ?? document.querySelector("details.menu[open]");
  if (!menu) return event.target.id !== "q" && closePanel();
  menu.open = false;
  menu.querySelector("summary").focus();
}

function step(event) {
  const cards = [...document.querySelectorAll("#cards .hit")];
  const at = cards.indexOf(document.activeElement);
  if (at < 0) return;
  const to = stepped(at, event.key, Number(getComputedStyle(cards[at]).getPropertyValue("--columns")));
  if (!cards[to]) return;
  event.preventDefault();
  cards[to].focus();
}

export const stepped = (at, key, row) => at + { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row }[key];

// A menu closes when something else is clicked.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
