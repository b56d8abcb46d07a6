// The cards that are ticked for a comparison: they stay so in other searches, which show other cards.

const ticked = new Set();

// The ticked LoRAs that have no box among `values`.
export const without = (values, all = ticked) => [...all].filter((ref) => !values.includes(ref));

function show() {
  const boxes = [...document.querySelectorAll(".pick input")];
  for (const box of boxes) box.checked = ticked.has(box.value);
  const fields = without(boxes.map((box) => box.value)).map((value) => Object.assign(document.createElement("input"), { type: "hidden", name: "lora", value }));
  document.getElementById("elsewhere")?.replaceChildren(...fields);
}

function change(act) {
  act();
  show();
  if (ticked.size) document.getElementById("ticked").dispatchEvent(new Event("ticked"));
}

document.addEventListener("change", ({ target }) => {
  if (target.matches(".pick input")) change(() => ticked[target.checked ? "add" : "delete"](target.value));
});
document.addEventListener("click", ({ target }) => { if (target.matches("[data-untick]")) change(() => ticked.clear()); });
document.addEventListener("htmx:after:swap", show);
