// Where there is no page, scripts listen to a document in which nothing happens.
globalThis.document = new EventTarget();
// What extensions of htmx do, by their names.
export const extensions = {};
globalThis.htmx = { registerExtension: (name, hooks) => (extensions[name] = hooks) };
