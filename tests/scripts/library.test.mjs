import assert from "node:assert/strict";
import test from "node:test";
import { between } from "../../hub_ui/web/static/scripts/library.js";

test("with Shift all ticks between two are chosen, in either direction", () => {
  assert.deepEqual(between(["a", "b", "c", "d"], "d", "b"), ["b", "c", "d"]);
  assert.deepEqual(between(["a", "b", "c", "d"], "a", "a"), ["a"]);
});
