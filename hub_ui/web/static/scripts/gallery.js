// The images of a LoRA: arrows step through the strip, a click shows one large in the lightbox, and videos play where
// the pointer or the focus is, unless less motion is asked for. What the lightbox shows comes from the server.

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
const NAMES = { ArrowLeft: ".back", ArrowRight: ".next" };
let asked = ".close";
const box = () => document.getElementById("lightbox");

// The number to go to, of `many`, without leaving either end.
export const goal = (at, by, many) => Math.max(0, Math.min(many - 1, at + by));

function move(by) {
  const strip = document.getElementById("strip");
  const figures = [...strip.querySelectorAll("figure")];
  const focused = figures.findIndex((figure) => figure.contains(document.activeElement));
  const at = focused < 0 ? Math.round(strip.scrollLeft / strip.clientWidth) : focused;
  const to = goal(at, by, figures.length);
  if (focused >= 0) figures[to].querySelector("a").focus({ preventScroll: true });
  strip.scrollTo({ left: to * strip.clientWidth, behavior: calm.matches ? "instant" : "smooth" });
}

// The lightbox opens once its image has come. Focus stays on the arrow that asked for it.
document.addEventListener("htmx:after:swap", (event) => {
  const { target } = event.detail.ctx;
  if (target?.id !== "lightbox" || !target.querySelector(".large")) return;
  const index = target.querySelector(".large").dataset.index;
  if (document.querySelector(`#image-${index} :checked`)) reveal(index);
  stop();
  if (!target.open) target.showModal();
  target.querySelector(asked).focus({ focusVisible: false });
});

function shut() {
  const index = box().querySelector(".large")?.dataset.index;
  box().close();
  box().replaceChildren();
  document.querySelector(`#image-${index} a`)?.focus();
}

const reveal = (index) => document.querySelectorAll(`[data-reveals="${index}"]`).forEach((field) => { field.checked = true; });
document.addEventListener("change", (event) => { if (event.target.dataset.reveals) reveal(event.target.dataset.reveals); });

document.addEventListener("click", (event) => {
  asked = Object.values(NAMES).find((each) => event.target.closest(`#lightbox ${each}`)) ?? ".close";
  const step = event.target.closest("[data-step]");
  if (step) move(Number(step.dataset.step));
  if (!box().open || !event.target.closest("[data-shut]") && !event.target.matches("#lightbox, #lightbox figure")) return;
  event.preventDefault();
  shut();
});
document.addEventListener("cancel", (event) => {
  if (event.target !== box()) return;
  event.preventDefault();
  shut();
}, true);

// Before what the page does with keys, which is not meant in the lightbox.
addEventListener("keydown", (event) => {
  const inside = box()?.open;
  const step = inside && NAMES[event.key] && box().querySelector(`a${NAMES[event.key]}`);
  if (inside) event.stopPropagation();
  // A video has arrows of its own.
  if (step && !event.target.matches("video")) { event.preventDefault(); step.click(); }
  if (inside || !STEPS[event.key] || !event.target.closest?.("#strip")) return;
  event.preventDefault();
  move(STEPS[event.key]);
}, true);

let playing = null, video = null;
const stop = () => { video?.remove(); playing = video = null; };

function play(event) {
  if (event.pointerType === "touch" || calm.matches) return;
  const over = event.target.closest?.(".card, #strip figure");
  const place = over?.matches("[data-video]") ? over : over?.querySelector("[data-video]");
  if (place === playing) return;
  stop();
  const still = place?.querySelector("img");
  if (!place || still && getComputedStyle(still).filter !== "none") return;
  playing = place;
  video = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true, src: place.dataset.video });
  begin();
}

function begin() {
  const shown = video;
  playing.append(shown);
  shown.play().catch((error) => { if (error.name !== "AbortError") shown.remove(); });
}
for (const name of ["pointerover", "focusin"]) document.addEventListener(name, play);
// What the server sends has no video: where a list or the panel was read again below the pointer, it goes on.
document.addEventListener("htmx:after:swap", () => { if (video && !video.error && !playing.contains(video)) begin(); });
