// Gradio (6.31) closes the stream of answers whenever nothing is under way, and takes a stream for open until it has read
// its last word. A press is answered by nobody if the word that it has begun overtakes that one, as on a busy computer or
// behind a proxy. So a stream ends here only when all that has begun is done; until then the server is asked again.
// It also takes a stream that it breaks off itself, as its page is left, for a lost server, and loads that page again
// after two seconds: a server that needs longer for the next page would never show it. So that is an end as any other.
(() => {
  const PATIENCE = 2000;
  const ask = window.fetch.bind(window);
  const begun = new Set();
  const done = new Set();
  // Until Gradio has read a last word that was passed on: it then breaks off that request.
  let ending = Promise.resolve();
  const addressOf = (asked) => String(asked[0]?.url ?? asked[0]);
  const begin = async (asked) => {
    const answer = await ask(...asked);
    if (answer.ok) {
      const { event_id: id } = await answer.clone().json();
      if (!done.delete(id)) { begun.add(id); }
      await ending;
    }
    return answer;
  };
  const read = async (answer, pass) => {
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
        if (msg === 'process_completed' && !begun.delete(id)) { done.add(id); }
        pass(message);
      }
    }
  };
  const follow = async (asked) => {
    const isLeft = () => asked[0].signal?.aborted;
    const first = await ask(...asked).catch((error) => {
      if (isLeft()) { return new Response(''); }
      throw error;
    });
    if (!first.ok) { return first; }
    const encoder = new TextEncoder();
    const copy = async (to) => {
      const pass = (message) => to.enqueue(encoder.encode(message + '\n\n'));
      let last = await read(first, pass);
      // Once for each event: one that ended with no answer must not keep a stream open for good.
      for (let open = [...begun]; last && open.length; open = [...begun].filter((id) => !open.includes(id))) {
        last = await read(await ask(...asked), pass);
      }
      begun.clear();
      if (last) {
        ending = new Promise((go) => {
          asked[0].signal?.addEventListener('abort', go);
          setTimeout(go, PATIENCE);
        });
        pass(last);
      }
      to.close();
    };
    const end = (to, error) => { if (isLeft()) { to.close(); } else { to.error(error); } };
    const body = new ReadableStream({ start(to) { copy(to).catch((error) => end(to, error)); } });
    return new Response(body, { status: first.status, headers: first.headers });
  };
  window.fetch = (...asked) => {
    const address = addressOf(asked);
    if (address.includes('/gradio_api/queue/join')) { return begin(asked); }
    return address.includes('/gradio_api/queue/data') ? follow(asked) : ask(...asked);
  };
})();
