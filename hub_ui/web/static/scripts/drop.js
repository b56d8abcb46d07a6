// A file that is dropped anywhere goes to the field of the page that takes its kind: one with data-drop="image" or
// "weights". A field that is dropped on itself takes what it is given.

const NAMES = /\.(safetensors|ckpt|pt|pth|bin)$/i;
const IMAGE = /^(image\/(png|jpeg|webp)|video\/mp4)$/;
// Browsers know no type of weights, and tell the name only once the file is dropped.
const UNKNOWN = ["", "application/octet-stream", "application/zip"];

export const kindOf = ({ type, name }) => (IMAGE.test(type) ? "image"
  : UNKNOWN.includes(type) && (name === undefined || NAMES.test(name)) ? "weights" : "");

const fieldFor = (kind) => kind && document.querySelector(`input[type=file][data-drop=${kind}]`);

// The field for the first of several files that the page has one for.
function taker(event) {
  if (event.target.closest?.("input[type=file]")) return undefined;
  const files = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  return files.map((item) => fieldFor(kindOf({ type: item.type }))).find(Boolean);
}

const mark = (isOver) => document.documentElement.classList.toggle("dropping", isOver);

document.addEventListener("dragover", (event) => {
  const takes = taker(event);
  mark(Boolean(takes));
  if (takes) event.preventDefault();
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(false); });
document.addEventListener("drop", (event) => {
  mark(false);
  if (!taker(event)) return;
  // Whatever it is: the browser would leave the page for it.
  event.preventDefault();
  const file = [...event.dataTransfer.files].find((each) => fieldFor(kindOf(each)));
  if (!file) return;
  const [field, one] = [fieldFor(kindOf(file)), new DataTransfer()];
  one.items.add(file);
  field.files = one.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
});
