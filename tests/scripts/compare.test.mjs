import assert from "node:assert/strict";
import test from "node:test";
import { fieldsOf, isBelow, showWeight } from "../../hub_ui/web/static/scripts/compare.js";

test("a button of the form is sent with the form's fields", () => {
  class Fields extends Array {}
  globalThis.FormData = class { constructor(form) { return form.fields; } };
  const form = { fields: new Fields(["lora", "civitai:1"], ["prompt", "a boat"]) };
  assert.equal(String(fieldsOf(form, { name: "act", type: "submit", value: "dice" })), "lora=civitai%3A1&prompt=a+boat&act=dice");
  assert.equal(String(fieldsOf(form, { name: "seed", type: "text", value: "5" })), "lora=civitai%3A1&prompt=a+boat");
});

test("a weight is shown in two decimals, and above the highest usual one as a warning", () => {
  const shown = { classes: {}, dataset: { most: "1.2" } };
  shown.classList = { toggle: (name, on) => { shown.classes[name] = on; } };
  showWeight(shown, 0.7);
  assert.deepEqual([shown.textContent, shown.classes.high], ["0.70", false]);
  showWeight(shown, 1.2);
  assert.deepEqual([shown.textContent, shown.classes.high], ["1.20", false]);
  showWeight(shown, 1.25);
  assert.equal(shown.classes.high, true);
});

test("what stands below the window is brought into view", () => {
  assert.deepEqual([isBelow({ top: 900 }, 844), isBelow({ top: 110 }, 900)], [true, false]);
});
