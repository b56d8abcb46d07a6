// One act after the other: a later one ends the earlier ones, and the stream of a list that goes.

const running = new Set();
let latest = null, isScrolled = false;
// Whether the answer to a step back or forward was left out, so that the page is not what the address says.
let isLeftOut = false;

document.addEventListener("htmx:before:request", (event) => {
  const ctx = event.detail.ctx;
  // The answer to an act of the panel begins to read anew: what was read before the act may not be painted after it.
  if (ctx.sourceElement.closest("#panel form")) endStreams("#panel [id^=read-]");
  if (!changesPage(ctx)) return;
  for (const other of running) abort(other);
  running.add(ctx);
  latest = ctx;
  document.getElementById("toast").replaceChildren();
  // A panel lies over a list that goes on.
  if (ctx.target.id !== "panel") endStreams(".ask, #filters [hx-get]");
});

// Nothing can abort the request of a step back or forward, nor of a filter's choices that a list has brought meanwhile.
document.addEventListener("htmx:before:response", (event) => {
  const { ctx } = event.detail;
  if (ctx.sourceElement.matches("#filters :not([hx-get])[id^=of-]")) event.preventDefault();
  if (!changesPage(ctx) || ctx === latest) return;
  event.preventDefault();
  isLeftOut ||= running.has(ctx) && ctx.target === document.body;
});

// What is typed stays in its box: an answer to something earlier would bring another. Before htmx asks for it.
document.addEventListener("input", (event) => {
  if (event.target.id === "q") for (const other of running) abort(other);
}, true);

document.addEventListener("htmx:finally:request", (event) => running.delete(event.detail.ctx));

// Fetch raises a TypeError where nobody answers, or where an answer breaks off: a server that is gone can't say so. Its
// next response or step of a stream shows that it is back.
let lost = null;
function tellLost({ detail: { error } }) {
  if (!(error instanceof TypeError)) return;
  lost = document.getElementById("lost").content.firstElementChild.cloneNode(true);
  document.getElementById("toast").replaceChildren(lost);
  resetFields();
}
for (const name of ["htmx:error", "htmx:sse:error"]) document.addEventListener(name, tellLost);
for (const name of ["htmx:before:response", "htmx:sse:before:message"]) document.addEventListener(name, () => lost?.remove());

document.addEventListener("htmx:before:swap", () => { isScrolled = scrollY > 0; });

// The search box shows what the address says, but while it is typed in.
document.addEventListener("htmx:after:swap", (event) => {
  const { target, sourceElement, sourceEvent } = event.detail.ctx, line = document.getElementById("line");
  if (event.detail.ctx === latest) {
    // A step back that is still on its way counts no more, whatever is taken back afterwards.
    for (const other of running) if (other !== latest) running.delete(other);
    isLeftOut = false;
  }
  if (target?.id === "main" && sourceElement?.id !== "q" && line?.dataset.text !== undefined) {
    document.getElementById("q").value = line.dataset.text;
  }
  // By keyboard, the last word of a search that is removed leaves its focus to the box.
  const clicked = sourceEvent?.detail === 0 && sourceEvent.target;
  if (clicked?.matches?.(".chip.part") && !clicked.isConnected) (document.getElementById("lq") ?? document.getElementById("q")).focus();
  if (event.detail.ctx === latest || !running.size) resetFields();
  // A new list begins at its top: a card that is in both would take the page along to its place there.
  if (isScrolled && target?.id === "main" && document.getElementById("cards")) scrollTo(0, 0);
});

// What a person unfolded stays so in another list.
htmx.registerExtension("folds", {
  htmx_before_morph_attr: (node, { attrName, newValue }) => attrName !== "open" || newValue !== null || !node.matches(".fold"),
});

// Boxes show what the address says, whatever was clicked on the way to it.
export function resetFields() {
  for (const field of document.querySelectorAll("#filters input[form]")) field.checked = field.defaultChecked;
  for (const select of document.querySelectorAll("select[form=view]")) {
    select.value = [...select.options].find((option) => option.defaultSelected)?.value ?? select.value;
  }
}

export function changesPage(ctx) {
  const isPart = ["main", "panel"].includes(ctx.target?.id) && !ctx.sourceElement.closest("#panel [data-hx-sync], #panel [hx-sync]");
  return isPart || ctx.target === document.body;
}

// Ends what fills an element; true where something else changes the page: a step back before it counts again.
export function endActs(target) {
  for (const ctx of running) if (ctx.target === target) abort(ctx);
  const others = [...running].filter((ctx) => ctx.target !== target);
  latest ??= others.at(-1) ?? null;
  if (!others.length && isLeftOut) location.reload();
  return others.length > 0 || isLeftOut;
}

export function endStreams(selector) {
  for (const element of document.querySelectorAll(selector)) htmx.trigger(element, "htmx:abort", {}, false);
}

function abort(ctx) {
  ctx.request.abort?.();
  if (ctx === latest) latest = null;
}

// Most pages see no file dropped on them.
document.addEventListener("dragenter", () => import("./drop.js"), { once: true });

// A step of the browser's history that needs no answer.
export function pushAddress(address) {
  if (!history.state?.htmx) history.replaceState({ htmx: true }, "", location.href);
  history.pushState({ htmx: true }, "", address);
}
