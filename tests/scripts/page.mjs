// Where there is no page, scripts listen to a document in which nothing happens.
globalThis.document = new EventTarget();
