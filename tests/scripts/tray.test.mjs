import assert from "node:assert/strict";
import test from "node:test";
import { without } from "../../hub_ui/web/static/scripts/tray.js";

test("a ticked card that the list has no longer is sent with the others", () => {
  assert.deepEqual(without(["civitai:1", "civitai:3"], new Set(["civitai:1", "civitai:2"])), ["civitai:2"]);
});
