// What the page asks of the server.

/** A request that the server refused: what is wrong, and what to do about it. */
export class Refused extends Error {
  constructor(status, { error, remedy }) {
    super(`${error}: ${remedy}.`);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused(0, { error: "the server does not answer", remedy: "start it again" });
  }
  if (response.ok) return response;
  const silent = { error: `the server answers ${response.status}`, remedy: "see what it printed" };
  throw new Refused(response.status, await response.json().catch(() => silent));
}

function send(path, value, method = "POST") {
  const headers = { "content-type": "application/json" };
  return ask(path, { method, headers, body: JSON.stringify(value) });
}

const session = (id) => `api/sessions/${encodeURIComponent(id)}`;

export const model = async () => (await ask("api/model")).json();
export const begin = async (start, seed) => (await send("api/sessions", { start, seed })).json();
export const state = async (id) => (await ask(session(id))).json();
export const close = (id) => ask(session(id), { method: "DELETE" });
export const rewind = async (id, chunks) => (await send(`${session(id)}/rewind`, { chunks })).json();
export const fork = async (id, seed) => (await send(`${session(id)}/fork`, { seed })).json();
export const load = async (id, file) =>
  (await ask(`${session(id)}/memory`, { method: "PUT", body: file })).json();
export const save = (id) => ask(`${session(id)}/memory`);
export const clip = (id, side) => ask(`${session(id)}/clip${side ? `?side=${side}` : ""}`);

/** Generates a chunk; `show` is called with every frame. Returns the chunk's record. */
export async function act(id, phrase, show) {
  const response = await send(`${session(id)}/chunks`, { phrase });
  for await (const event of lines(response.body)) {
    if (event.kind === "frame") show(event);
    else if (event.kind === "error") throw new Refused(response.status, event);
    else return event;
  }
  throw new Refused(0, { error: "the chunk broke off", remedy: "see whether it is there now, or act again" });
}

/** The JSON values of a stream with one on each line. */
async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const line of parts) yield JSON.parse(line);
  }
}
