import assert from "node:assert/strict";
import test from "node:test";
import { endActs } from "../../hub_ui/web/static/scripts/navigation.js";
import { extensions } from "./page.mjs";

const body = {}, panel = { id: "panel" };
Object.assign(document, {
  body,
  getElementById: (id) => (id === "line" ? null : { replaceChildren() {} }),
  querySelectorAll: () => [],
});
const OF_A_LIST = "#filters :not([hx-get])[id^=of-]";
const request = (target, is = "") => (
  { target, sourceElement: { closest: () => null, matches: (selector) => selector === is }, request: {} });

function isLeftIn(name, ctx) {
  return document.dispatchEvent(new CustomEvent(`htmx:${name}`, { detail: { ctx }, cancelable: true }));
}

test("a step back counts no more once a later click is shown, so that closing the panel has its own address", () => {
  const back = request(body), click = request(panel);
  isLeftIn("before:request", back);
  isLeftIn("before:request", click);
  for (const name of ["before:response", "after:swap", "finally:request"]) assert.ok(isLeftIn(name, click));
  assert.equal(endActs(panel), false);
  assert.equal(isLeftIn("before:response", back), false);
  assert.equal(endActs(panel), false);
});

test("it counts again where the click is taken back before its answer", () => {
  const back = request(body), click = request(panel);
  isLeftIn("before:request", back);
  isLeftIn("before:request", click);
  assert.equal(endActs(panel), true);
  assert.ok(isLeftIn("before:response", back));
});

test("a filter's choices that a list has brought are not painted over by those of the list before", () => {
  assert.deepEqual([OF_A_LIST, "other"].map((is) => isLeftIn("before:response", request({ id: "of-tag" }, is))), [false, true]);
});

test("a list does not close what a person unfolded, and opens what has a choice", () => {
  const fold = { matches: (selector) => selector === ".fold" }, menu = { matches: () => false };
  const isChanged = (node, newValue) => extensions.folds.htmx_before_morph_attr(node, { attrName: "open", newValue });
  assert.deepEqual([isChanged(fold, null), isChanged(fold, ""), isChanged(menu, null)], [false, true, true]);
});
