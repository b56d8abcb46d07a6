import assert from "node:assert/strict";
import test from "node:test";
import { stepped } from "../../hub_ui/web/static/scripts/keyboard.js";
import { changesPage } from "../../hub_ui/web/static/scripts/navigation.js";
import { isPlain, withPanel } from "../../hub_ui/web/static/scripts/panel.js";
import { next } from "../../hub_ui/web/static/scripts/search_box.js";
import { place } from "../../hub_ui/web/static/scripts/terms.js";

test("arrows go to the card beside, and to the one above or below", () => {
  assert.deepEqual(["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"].map((key) => stepped(7, key, 5)), [8, 6, 12, 2]);
});

test("a click with a key opens a tab, not the panel", () => {
  assert.equal(isPlain({}), true);
  for (const key of ["ctrlKey", "metaKey", "shiftKey"]) assert.equal(isPlain({ [key]: true }), false);
});

test("a panel lies over a list, and takes the place of the one before", () => {
  assert.equal(withPanel("?q=ink&open=civitai%3A1", "open=civitai%3A2"), "?q=ink&open=civitai%3A2");
  assert.deepEqual([withPanel("", "open=civitai%3A2"), withPanel("?q=ink&open=civitai%3A1"), withPanel("?open=a%3A1")], [
    "?open=civitai%3A2", "?q=ink", "",
  ]);
});

test("arrows go round the suggestions by way of none", () => {
  assert.deepEqual([next(-1, 3, 1), next(2, 3, 1), next(0, 3, -1), next(-1, 3, -1)], [0, -1, -1, 2]);
});

test("a note stands below its word, above it where there is no room, and within the window", () => {
  const note = { width: 300, height: 60 };
  assert.deepEqual(place({ top: 100, bottom: 120, left: 50 }, note, 1440, 900), { top: 126, left: 50 });
  assert.deepEqual(place({ top: 860, bottom: 880, left: 1400 }, note, 1440, 900), { top: 794, left: 1132 });
  assert.deepEqual(place({ top: 20, bottom: 40, left: 2 }, note, 390, 90), { top: 0, left: 8 });
});

test("only what fills the list or the panel ends what was asked before", () => {
  const source = (inside) => ({ closest: () => (inside ? {} : null) });
  assert.equal(changesPage({ target: { id: "main" }, sourceElement: source(false) }), true);
  assert.equal(changesPage({ target: { id: "panel" }, sourceElement: source(true) }), false);
  assert.equal(changesPage({ target: { id: "suggestions" }, sourceElement: source(false) }), false);
});
