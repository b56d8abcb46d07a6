// Saved searches, which stay in this browser: [[name, address], ...].

const KEY = "hub-ui-searches", MOST = 50, PARTS = ["q", "hub", "base", "kind", "filter", "sort"];

document.addEventListener("toggle", ({ target }) => target.id === "searches" && target.open && show(), true);
document.addEventListener("submit", (event) => {
  if (event.target.id !== "save-search") return;
  event.preventDefault();
  const box = event.target.elements.name, name = box.value.trim() || box.placeholder;
  keep((kept) => withSearch(kept, name, searchOf(location.search)));
  box.value = "";
});
document.addEventListener("click", (event) => {
  const remove = event.target.closest("#saved button");
  if (remove) keep((kept) => without(kept, remove.value));
});
// What is looked for, without what lies open, the LoRAs to compare, and the level of mature images.
export const searchOf = (query) => new URLSearchParams([...new URLSearchParams(query)].filter(([name]) => PARTS.includes(name))).toString();
export const without = (kept, name) => kept.filter(([other]) => other !== name);
export const withSearch = (kept, name, address) => [...without(kept, name), [name, address]].slice(-MOST);
async function show() {
  const rows = (await read()).map(([name, address]) => {
    const row = document.getElementById("saved-search").content.cloneNode(true), [link, remove] = row.querySelectorAll("a, button");
    Object.assign(link, { textContent: name, href: `./?${address}` });
    Object.assign(remove, { value: name, ariaLabel: `${remove.ariaLabel} ${name}` });
    return row;
  });
  document.getElementById("saved").replaceChildren(...rows);
}
async function keep(change) {
  localStorage.setItem(KEY, JSON.stringify(change(await read())));
  await show();
}
async function read() {
  const text = localStorage.getItem(KEY) ?? "[]";
  return JSON.parse(text.startsWith("[") ? text : await decrypted(text));
}

// As pages before this one kept them: encrypted, with a key that anybody knows.
export async function decrypted(text, ask = fetch) {
  const data = Uint8Array.from(atob(text.split(":")[1]), (sign) => sign.charCodeAt(0));
  const salt = [...data.slice(8, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const { key, iv } = await (await ask(`searches/key?salt=${salt}`)).json();
  const secret = await crypto.subtle.importKey("raw", new Uint8Array(key), "AES-CBC", false, ["decrypt"]);
  return new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-CBC", iv: new Uint8Array(iv) }, secret, data.slice(16)));
}
