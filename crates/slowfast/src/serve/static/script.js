// The page: what keys and buttons do, and what is shown of a session.

import { plot, short } from "./plot.js";
import { Screen } from "./screen.js";
import * as server from "./server.js";

const SIDES = ["with_memory", "without_memory"];
const ARROWS = { ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓", ArrowRight: "→" };

const find = (id) => document.getElementById(id);
let model;
let screens;
let session;
let busy = false;

/** Does one thing at a time, with all controls disabled, and tells how it went. */
async function work(doing, job) {
  if (busy) return;
  const before = location.hash;
  const focused = document.activeElement;
  setBusy(true);
  find("error").hidden = true;
  find("status").textContent = `${doing}…`;
  try {
    find("status").textContent = (await job()) ?? "";
  } catch (error) {
    find("status").textContent = "";
    find("error").textContent = error.message;
    find("error").hidden = false;
  }
  setBusy(false);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  // Whoever went back or forth meanwhile wants that session now.
  if (location.hash !== before && isElsewhere()) work("Opening", open);
}

function isElsewhere() {
  return location.hash.slice(1) !== session?.id;
}

function setBusy(now) {
  busy = now;
  document.body.ariaBusy = now;
  for (const fieldset of document.querySelectorAll("fieldset")) fieldset.disabled = now;
}

function act(phrase) {
  return work(`Making the next chunk: ${phrase || "no action"}`, async () => {
    const { id } = current();
    let record;
    try {
      record = await server.act(id, phrase, ({ side, png }) => screens[side].add(png));
    } catch (error) {
      // What was begun may be kept, and what was shown of it may not.
      await server.state(id).then(show, () => {});
      throw error;
    }
    if (record.number === session.chunks.length + 1) {
      session.chunks.push(record);
      showEpisode();
    } else {
      // A chunk that was begun before the page was loaded came in between.
      await show(await server.state(id));
    }
    const left_out = record.unknown.map((word) => `“${word}”`).join(", ");
    return left_out ? `The model does not know ${left_out}, and was not told.` : "";
  });
}

/** The session, which the server may have had no room for. */
function current() {
  if (!session) throw new Error("There is no episode yet: begin a new one.");
  return session;
}

/** Shows a session as the server has it. With `pushState` the browser can go back to the one before. */
async function show(state, remember = "replaceState") {
  session = state;
  history[remember](null, "", `#${state.id}`);
  await Promise.all(SIDES.map((side) => screens[side].cut(state.view[side])));
  showEpisode();
}

function showEpisode() {
  const { chunks } = session;
  showChunks(chunks);
  const of = (side) => [[0, 0], ...chunks.map((chunk, index) => [index + 1, chunk[side].memory_norm])];
  const norm = chunks.at(-1)?.with_memory.memory_norm ?? 0;
  const norms = [
    { kind: "without", points: of("without_memory") },
    { kind: "with", points: of("with_memory") },
  ];
  plot(find("norm"), `Memory norm ${short(norm)} after ${chunks.length} chunks`, norms, chunks.length);
  find("norm-value").textContent = short(norm);
  showLosses(chunks);
}

function showLosses(chunks) {
  const points = chunks.flatMap(({ with_memory: { fast_losses: losses } }, index) =>
    losses.map((loss, step) => [index + (step + 1) / losses.length, loss]),
  );
  const last = points.length > 0 ? short(points.at(-1)[1]) : "";
  plot(find("loss"), `Fast loss ${last || "not known yet"}`, [{ kind: "with", points }], chunks.length);
  find("loss-value").textContent = last;
}

function showChunks(chunks) {
  const entries = ["Start", ...chunks.map(({ phrase }) => phrase || "no action")];
  const items = entries.map((text, index) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    button.setAttribute("aria-label", `Rewind to ${index}: ${text}`);
    if (index === chunks.length) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () =>
      work("Rewinding", async () => show(await server.rewind(current().id, index))),
    );
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  find("chunks").replaceChildren(...items);
  items.at(-1).scrollIntoView({ block: "nearest" });
}

async function download(asked) {
  const response = await asked;
  const disposition = response.headers.get("content-disposition") ?? "";
  const url = URL.createObjectURL(await response.blob());
  const name = disposition.match(/filename="(.*)"/)?.[1] ?? "";
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return `Downloaded ${name}.`;
}

async function load(file) {
  if (file.size > model.most_upload) {
    throw new Error(`The file has ${file.size} bytes, and the server takes ${model.most_upload}.`);
  }
  await show(await server.load(current().id, file));
  return `Loaded ${file.name}. Without memory: the same past, none of it remembered.`;
}

async function begin(start, seed) {
  const before = session;
  const giveUp = async () => before && server.close(before.id).catch(() => {});
  try {
    await show(await server.begin(start, seed));
    await giveUp();
  } catch (error) {
    if (error.status !== 503) throw error;
    // The place of the session before may be the only one.
    await giveUp();
    await show(await server.begin(start, seed));
  }
}

/** Opens the session that the address names, or begins one. */
async function open() {
  const id = location.hash.slice(1);
  if (id) {
    try {
      return await show(await server.state(id));
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  await show(await server.begin(0, 0));
  return id ? "That episode is gone; this is a new one." : "Press an arrow key, or type an action.";
}

function onForm(id, doing, job) {
  find(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = new FormData(event.target);
    work(doing, () => job(fields));
  });
}

function listen() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea");
    if (typing && event.key === "Escape") event.target.blur();
    const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
    if (!(event.key in ARROWS) || typing || !plain) return;
    event.preventDefault();
    if (!event.repeat) act(model.keys[event.key]);
  });
  find("act").addEventListener("submit", (event) => {
    event.preventDefault();
    const phrase = find("phrase").value;
    act(phrase).then(() => find("error").hidden && (find("phrase").value = ""));
  });
  find("save").addEventListener("click", () => work("Saving", async () => download(server.save(current().id))));
  find("load").addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file) work("Loading", () => load(file));
    target.value = "";
  });
  onForm("fork", "Forking", async (fields) => {
    await show(await server.fork(current().id, Number(fields.get("seed"))), "pushState");
    return "This is the fork; go back for the original.";
  });
  onForm("clip", "Drawing the clip", async (fields) => download(server.clip(current().id, fields.get("side"))));
  onForm("begin", "Beginning", (fields) => begin(Number(fields.get("start")), Number(fields.get("seed"))));
  addEventListener("hashchange", () => {
    if (isElsewhere()) work("Opening", open);
  });
}

function showModel() {
  const keys = Object.entries(ARROWS).map(([key, arrow]) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(Object.assign(document.createElement("kbd"), { textContent: arrow }), model.keys[key]);
    button.addEventListener("click", () => act(model.keys[key]));
    return button;
  });
  find("keys").replaceChildren(...keys);
  find("phrase").maxLength = model.most_letters;
  if (model.test_episodes !== null) {
    find("start-label").textContent = "Test episode";
    document.querySelector("#begin [name=start]").max = model.test_episodes - 1;
  }
  const facts = {
    Words: model.words.join(", "),
    Frames: `${model.frames_per_chunk} a chunk, ${model.width}×${model.height} pixels`,
    Fingerprint: model.fingerprint,
  };
  const entries = Object.entries(facts).flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: value }),
  ]);
  find("model").replaceChildren(...entries);
}

await work("Loading", async () => {
  model = await server.model();
  screens = Object.fromEntries(SIDES.map((side) => [side, new Screen(find(side), model)]));
  showModel();
  listen();
  return open();
});
