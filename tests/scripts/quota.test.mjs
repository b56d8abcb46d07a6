import assert from "node:assert/strict";
import test from "node:test";
import { ask, withHeaders } from "../../hub_ui/web/static/scripts/quota.js";

const HEADERS = { "x-ip-token": "of ada" };

test("a page of huggingface.co is asked for the headers, and no other", async () => {
  const asked = [];
  const page = { postMessage: (text, origin, [port]) => { asked.push(text, origin); port.postMessage(HEADERS); port.close(); } };
  assert.deepEqual(await ask(page), HEADERS);
  assert.deepEqual(asked, ["zerogpu-headers", "https://huggingface.co"]);
});

test("a page that does not answer is not waited for", async () => {
  assert.equal(await ask({ postMessage: (_text, _origin, [port]) => port.close() }, 0.01), undefined);
});

test("a request has its own headers and those", async () => {
  const sent = [];
  await withHeaders(async () => HEADERS, (...each) => sent.push(each))("try", { method: "POST", headers: { a: "b" } });
  assert.deepEqual(sent, [["try", { method: "POST", headers: { a: "b", "x-ip-token": "of ada" } }]]);
  await withHeaders(async () => undefined, (...each) => sent.push(each))("try", { headers: { a: "b" } });
  assert.deepEqual(sent[1], ["try", { headers: { a: "b" } }]);
});
