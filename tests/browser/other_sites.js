// What a page elsewhere asks for, and what its visitor does on the page itself.
window.sites = {
  ask: async ([url, lora]) => {
    const json = {'Content-Type': 'application/json'}, text = {'Content-Type': 'text/plain'};
    const body = JSON.stringify({data: [lora]}), post = {method: 'POST', body};
    const asks = {
      config: ['config'], search: ['ask?q=ink'],
      favorite: ['lora/favorite', {method: 'POST', body: new URLSearchParams({ref: lora})}],
      lock: ['visit/loras.lock'], page: [''], logout: ['logout'],
      leave: ['gradio_api/call/inspect', {...post, headers: json}],
      simple: ['gradio_api/call/inspect', {...post, headers: text}],
      stream: ['gradio_api/queue/data?session_hash=x'],
    };
    const found = {};
    for (const [name, [path, more]] of Object.entries(asks)) {
      try {
        const answer = await fetch(url + path, {credentials: 'include', ...more});
        found[name] = answer.status;
      } catch { found[name] = 'nothing'; }
      try { await fetch(url + path, {credentials: 'include', mode: 'no-cors', ...more}); } catch { /* as well */ }
    }
    return found;
  },

  answer: async (lora) => {
    const asked = {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({source: lora})};
    const {event_id} = await (await fetch('gradio_api/call/v2/inspect', asked)).json();
    return (await fetch(`gradio_api/call/inspect/${event_id}`)).text();
  },
};
