// Two faults of Gradio's client (6.31) are made good here.
// The server ends the event stream with `close_stream` when no event is pending. The client takes the stream for open until
// it has read that message: an event that it posts meanwhile gets no answer if the response to the post comes first, as on a
// busy computer or behind a proxy. So `close_stream` is passed on only when every posted event is complete. Until then the
// stream is asked for again.
// The client takes a stream that breaks because its page is left for a lost server, and so it does with an event that comes
// later and of whose session the server knows no more. It loads that page again after two seconds: a next page that takes
// longer would never be shown. So such a stream ends as any other.
(() => {
  const PATIENCE = 2000;
  // How long a page that is left may be there until the next one is. Where that is a download, it stays.
  const LEAVING = 30000;
  const CLOSE = 'data: {"msg":"close_stream"}';
  const ask = window.fetch.bind(window);
  const posted = new Set();
  const completed = new Set();
  // Until the client has read a `close_stream` that was passed on: it then aborts that request.
  let ending = Promise.resolve();
  let left = -LEAVING;
  addEventListener('beforeunload', () => { left = performance.now(); });
  const addressOf = (asked) => String(asked[0]?.url ?? asked[0]);
  const post = async (asked) => {
    const answer = await ask(...asked);
    if (answer.ok) {
      const { event_id: id } = await answer.clone().json();
      if (!completed.delete(id)) { posted.add(id); }
      await ending;
    }
    return answer;
  };
  const read = async (answer, pass, isLeft) => {
    const [reader, decoder] = [answer.body.getReader(), new TextDecoder()];
    let text = '';
    for (;;) {
      const { done: isEnd, value } = await reader.read();
      if (isEnd) { return null; }
      const messages = (text + decoder.decode(value, { stream: true })).split('\n\n');
      text = messages.pop();
      for (const message of messages) {
        const { msg, event_id: id } = JSON.parse(message.slice('data: '.length));
        if (msg === 'close_stream') { return message; }
        if (msg === 'unexpected_error' && isLeft()) { return CLOSE; }
        if (msg === 'process_completed' && !posted.delete(id)) { completed.add(id); }
        pass(message);
      }
    }
  };
  const follow = async (asked) => {
    const isLeft = () => asked[0].signal?.aborted || performance.now() - left < LEAVING;
    const first = await ask(...asked).catch((error) => {
      if (isLeft()) { return new Response(CLOSE + '\n\n'); }
      throw error;
    });
    if (!first.ok) { return first; }
    const encoder = new TextEncoder();
    const passTo = (to) => (message) => to.enqueue(encoder.encode(message + '\n\n'));
    const copy = async (to) => {
      const pass = passTo(to);
      let last = await read(first, pass, isLeft);
      // Once for each event: one that never gets an answer must not keep the stream open for ever.
      for (let open = [...posted]; last && open.length; open = [...posted].filter((id) => !open.includes(id))) {
        last = await read(await ask(...asked), pass, isLeft);
      }
      posted.clear();
      if (last) {
        ending = new Promise((go) => {
          asked[0].signal?.addEventListener('abort', go);
          setTimeout(go, PATIENCE);
        });
        pass(last);
      }
      to.close();
    };
    const end = (to, error) => {
      if (!isLeft()) { to.error(error); return; }
      passTo(to)(CLOSE);
      to.close();
    };
    const body = new ReadableStream({ start(to) { copy(to).catch((error) => end(to, error)); } });
    return new Response(body, { status: first.status, headers: first.headers });
  };
  window.fetch = (...asked) => {
    const address = addressOf(asked);
    if (address.includes('/gradio_api/queue/join')) { return post(asked); }
    return address.includes('/gradio_api/queue/data') ? follow(asked) : ask(...asked);
  };
})();
