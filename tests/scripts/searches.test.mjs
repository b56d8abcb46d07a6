import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import test from "node:test";
import { decrypted, searchOf, withSearch, without } from "../../hub_ui/web/static/scripts/search_box.js";

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

test("what was saved before, encrypted, is still there", async () => {
  const salt = Buffer.from("0011223344556677", "hex"), word = Buffer.from(createHash("sha256").update("hub-ui").digest("hex"));
  const blocks = [];
  for (let at = 0; at < 3; at++) blocks.push(createHash("md5").update(Buffer.concat([blocks.at(-1) ?? Buffer.alloc(0), word, salt])).digest());
  const secret = Buffer.concat(blocks), cipher = createCipheriv("aes-256-cbc", secret.subarray(0, 32), secret.subarray(32));
  const hidden = Buffer.concat([Buffer.from("Salted__"), salt, cipher.update('[["styles, 墨", "kind=style"]]'), cipher.final()]);
  const asked = [];
  const ask = async (address) => {
    asked.push(address);
    return { json: async () => ({ key: [...secret.subarray(0, 32)], iv: [...secret.subarray(32)] }) };
  };
  assert.equal(await decrypted(`AAAA:${hidden.toString("base64")}`, ask), '[["styles, 墨", "kind=style"]]');
  assert.deepEqual(asked, ["searches/key?salt=0011223344556677"]);
});
