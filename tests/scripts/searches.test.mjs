import assert from "node:assert/strict";
import test from "node:test";
import { searchOf, withSearch, without } from "../../hub_ui/web/static/scripts/search_box.js";

test("a search is its words, filters and order", () => {
  assert.equal(searchOf("?q=ink&base=a&base=b&open=civitai:1&nsfw=mature&lora=civitai:2&sort=likes"), "q=ink&base=a&base=b&sort=likes");
  assert.equal(searchOf(""), "");
});

test("a search that is saved again takes the place of the one before", () => {
  assert.deepEqual(withSearch([["a", "q=1"], ["b", "q=2"]], "a", "q=3"), [["b", "q=2"], ["a", "q=3"]]);
});

test("there are at most fifty, and the oldest goes", () => {
  const fifty = Array.from({ length: 50 }, (_, at) => [`${at}`, "q=x"]);
  const kept = withSearch(fifty, "new", "q=y");
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [50, ["1", "q=x"], ["new", "q=y"]]);
});

test("a search is removed by its name", () => {
  assert.deepEqual(without([["a", "q=1"], ["b", "q=2"]], "a"), [["b", "q=2"]]);
});
