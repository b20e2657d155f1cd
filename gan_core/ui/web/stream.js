// The one connection: server-sent events into the store. Closed while the tab is hidden, tried again when it breaks.
// It draws nothing.
import { address } from "./address.js";
import { chooseRun, chosenRun } from "./storage.js";
import { emit, on, reducers, store } from "./store.js";

const GONE_AFTER_MS = 2000; // without a connection
const FIRST_RETRY_MS = 300, LONGEST_RETRY_MS = 5000;
const PENDING_MS = 6000; // the answer to a click comes by the stream; if none does, the page stops waiting

/** @type {EventSource | null} */
let source = null;
/** @type {string | null} the run that the connection was opened for */
let tied = null;
let boot = "", retryMs = 0, retryTimer = 0, goneTimer = 0;

/** Which run this browser looks at: an id, or null for the one that everybody is shown. @param {string | null} run */
export function showRun(run) {
  emit("live");
  chooseRun(run);
  close();
  open();
}

/** A new run was begun here: where this browser was tied to an older one, it is no longer. */
export function followChoice() {
  if (!source || tied === chosenRun()) return;
  close();
  open();
}

/** @param {import("./store.js").State["connection"]} state */
function setConnection(state) {
  if (store.connection === state) return;
  store.connection = state;
  emit("connection");
}

function close() {
  clearTimeout(retryTimer);
  source?.close();
  source = null;
}

function lost() {
  close();
  const patience = store.connection === "connecting" ? 3 * GONE_AFTER_MS : GONE_AFTER_MS;
  goneTimer ||= setTimeout(() => setConnection("gone"), patience);
  retryMs = Math.min(LONGEST_RETRY_MS, retryMs ? retryMs * 1.6 : FIRST_RETRY_MS);
  // A class of 200 must not come back in the same instant.
  retryTimer = setTimeout(open, retryMs * (0.8 + 0.4 * Math.random()));
}

function forgetTroubles() {
  retryMs = 0;
  clearTimeout(goneTimer);
  goneTimer = 0;
}

function open() {
  if (source || document.hidden) return;
  const run = tied = chosenRun();
  source = new EventSource(address("stream", run ? { run } : {}));
  source.onerror = lost;
  for (const name of /** @type {(keyof Stream.Events)[]} */ (Object.keys(reducers))) {
    source.addEventListener(name, (event) => receive(name, event));
  }
}

/** @param {keyof Stream.Events} name @param {MessageEvent<string>} message */
function receive(name, message) {
  const event = JSON.parse(message.data);
  if (name === "snapshot") adopt(event);
  else if (!isCurrent(message.lastEventId)) return;
  forgetTroubles();
  setConnection("open");
  reducers[name](event);
  emit(name, event);
}

/** @param {Stream.Snapshot} snapshot */
function adopt(snapshot) {
  boot = snapshot.boot;
  // A chosen run that is gone (deleted, another server) must not hold this browser.
  if (chosenRun() && snapshot.run !== chosenRun()) chooseRun(null);
}

/** Ids are boot.run.seq: what another server process or another run sent late is not ours. @param {string} id */
function isCurrent(id) {
  const first = id.indexOf("."), end = id.lastIndexOf(".");
  if (first < 0 || first === end) return true;
  return id.slice(0, first) === boot && id.slice(first + 1, end) === (store.run ?? "");
}

export function startStream() {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    forgetTroubles();
    if (!document.hidden) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  on("pending", () => {
    const pending = store.pending;
    if (!pending) return;
    setTimeout(() => {
      if (store.pending !== pending) return;
      store.pending = "";
      emit("status");
    }, PENDING_MS);
  });
  open();
}
