// In a frame of huggingface.co, images are made on its visitor's quota of ZeroGPU: that page has the headers for it, and
// gives them to who asks as Gradio's own client does.

const HUB = "https://huggingface.co", SECONDS = 5;

if (globalThis.parent !== globalThis && globalThis.location?.hostname.endsWith(".hf.space")) {
  let gives = false;
  addEventListener("message", (event) => { gives ||= event.origin === HUB && event.data === "supports-zerogpu-headers"; });
  parent.postMessage("supports-zerogpu-headers", HUB);
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (gives && ctx.request.method === "POST") ctx.fetch = withHeaders(() => ask(parent));
  });
}

export function withHeaders(headers, send = fetch) {
  return async (address, request) => send(address, { ...request, headers: { ...request.headers, ...(await headers()) } });
}

export function ask(page, seconds = SECONDS) {
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((resolve) => { port1.onmessage = (event) => resolve(event.data); setTimeout(resolve, seconds * 1000); });
  page.postMessage("zerogpu-headers", HUB, [port2]);
  return answer.finally(() => port1.close());
}
