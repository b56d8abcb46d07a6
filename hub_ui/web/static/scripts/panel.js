// The panel of a LoRA: it opens with what the card shows, closes without asking anybody, and copies what is clicked.

import { endActs, endStreams, pushAddress, resetFields } from "./navigation.js";

document.addEventListener("click", (event) => {
  const find = (selector) => event.target.closest(selector);
  const link = isPlain(event) && find("[data-links] a:not([hx-boost])"), close = find("[data-close]");
  if (link || close) event.preventDefault();
  if (link) follow(link);
  if (close) closePanel();
  const copied = find("[data-copy], [data-share]");
  if (copied) copy(copied);
});

// Others open a tab or a window.
export const isPlain = (event) => !event.ctrlKey && !event.metaKey && !event.shiftKey;

// htmx's own boost would go through hundreds of links. A card's is the same in every list, so that a morph leaves it.
function follow(link) {
  const place = link.matches(".hit") ? link.closest(".card, tr") : null, card = place?.matches(".card") ? place : null;
  const address = card ? withPanel(card.closest("#cards").dataset.list, /open=.*/.exec(link.search)[0]) : link.getAttribute("href");
  htmx.ajax("GET", address, { source: link, push: "true" });
  mark(place);
  if (card) preview(card);
}

// What the card shows stands in the panel until the server's answer is there.
export function preview(card) {
  const panel = document.getElementById("panel");
  const article = Object.assign(document.createElement("article"), { className: "lora" });
  const picture = card.querySelector(".picture").cloneNode();
  picture.append(card.querySelector(".picture img")?.cloneNode() ?? "");
  picture.className = "gallery";
  const title = Object.assign(document.createElement("h2"), { textContent: card.querySelector(".hit").textContent });
  article.append(picture, title, card.querySelector(".chips").cloneNode(true));
  panel.replaceChildren(article);
  panel.scrollTop = 0;
}

export function closePanel() {
  const panel = document.getElementById("panel");
  if (!panel.firstElementChild) return;
  const isChanging = endActs(panel);
  endStreams("#panel [hx-get]");
  panel.replaceChildren();
  mark(null);
  const address = withPanel(location.search);
  // What is on its way closes the panel too, and has an address of its own.
  if (!isChanging && address !== location.search) pushAddress(address || location.pathname);
  if (!isChanging) resetFields();
  document.getElementById(panel.dataset.from)?.querySelector(".hit").focus();
}

// The address of the list with another panel over it, or with none.
export function withPanel(search, open = "") {
  const pairs = [...search.slice(1).split("&").filter((pair) => !pair.startsWith("open=")), open].filter(Boolean);
  return pairs.length ? `?${pairs.join("&")}` : "";
}

// The card or row that the panel is of, which closing it leads back to.
function mark(place) {
  for (const hit of document.querySelectorAll(".hit[aria-current]")) hit.removeAttribute("aria-current");
  if (place) document.getElementById("panel").dataset.from = place.id;
  place?.querySelector(".hit").setAttribute("aria-current", "true");
}

async function copy(button) {
  const text = button.dataset.copy ?? new URL(button.dataset.share, location.href).href;
  // Over plain HTTP from another computer there is no clipboard.
  if (!navigator.clipboard) return prompt("", text);
  await navigator.clipboard.writeText(text);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 2000);
}

document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target?.id === "panel" && ctx.sourceElement.closest("#cards")) ctx.target.focus({ preventScroll: true });
  // A list that goes on below the panel comes without the mark.
  const from = document.querySelector("#panel:has(> .lora)")?.dataset.from, place = from && document.getElementById(from);
  if (place) mark(place);
});
