// The Compare page: the line between two images, weights in figures, and clicks that build on each other.

import { endStreams } from "./navigation.js";

// A click may wait for the answer to the one before it, which changes the form: it is sent as it is then. It ends what
// the form itself asks for (its LoRAs' facts and the price), because those answers describe the form before the click.
document.addEventListener("htmx:before:request", (event) => {
  const { request, sourceElement } = event.detail.ctx;
  const form = document.getElementById("try");
  if (!form || request.method !== "POST" || !/^try(\/|$)/.test(request.action)) return;
  request.body = fieldsOf(form, sourceElement);
  endStreams("#try [hx-get]");
});

export function fieldsOf(form, button) {
  const fields = new URLSearchParams(new FormData(form));
  if (button.name && button.type === "submit") fields.append(button.name, button.value);
  return fields;
}

document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-slide]")) target.parentElement.style.setProperty("--at", `${target.value}%`);
  if (target.matches("[data-shows]")) showWeight(target.closest("li").querySelector("output"), Number(target.value));
});

export function showWeight(output, weight) {
  output.textContent = weight.toFixed(2);
  output.classList.toggle("high", weight > output.dataset.most);
}

// Another image under the line leaves the line where it was. What is made comes into view, once, where the form is above.
let followed = "";
function swapped() {
  const slide = document.querySelector("[data-slide]");
  slide?.parentElement.style.setProperty("--at", `${slide.value}%`);
  const follows = document.querySelector("#stage > [id^=follow-]")?.id ?? "";
  const making = document.querySelector("#shown .making");
  if (making && follows !== followed && isBelow(making.getBoundingClientRect(), innerHeight)) making.scrollIntoView({ block: "center" });
  followed = follows;
}
export const isBelow = (place, height) => place.top > height - 160;
for (const name of ["htmx:after:swap", "DOMContentLoaded"]) document.addEventListener(name, swapped);

// Arrows go from image to image of a row, and show them.
document.addEventListener("keydown", (event) => {
  const tile = event.target.closest(".strip .tile");
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const tiles = tile && by ? [...tile.parentElement.querySelectorAll("button.tile")] : [];
  const next = tiles[tiles.indexOf(tile) + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.click();
});
