import "./page.mjs";
import assert from "node:assert/strict";
import test from "node:test";

globalThis.matchMedia = () => ({ matches: false });
globalThis.addEventListener = () => {};
const { goal } = await import("../../hub_ui/web/static/scripts/gallery.js");
const { kindOf } = await import("../../hub_ui/web/static/scripts/drop.js");

test("arrows stop at either end of the images", () => {
  assert.deepEqual([goal(0, -1, 3), goal(0, 1, 3), goal(2, 1, 3), goal(0, 1, 1)], [0, 1, 2, 0]);
});

test("a file is an image by its type, and weights by the name that shows once it is dropped", () => {
  assert.deepEqual(["image/png", "image/webp", "image/gif", "text/plain"].map((type) => kindOf({ type })), ["image", "image", "", ""]);
  assert.equal(kindOf({ type: "" }), "weights");
  assert.equal(kindOf({ type: "", name: "ink.safetensors" }), "weights");
  assert.equal(kindOf({ type: "application/zip", name: "photos.zip" }), "");
});
