// The one way by which events come into the store: server-sent events, or short requests while those are held back. Closed while
// the tab is hidden, tried again when it breaks. It draws nothing.
import { address } from "./address.js";
import { isNews } from "./lib/cursor.js";
import { poll } from "./polling.js";
import { chooseRun, chosenRun, recallHere, rememberHere } from "./storage.js";
import { emit, on, reducers, store } from "./store.js";

const GONE_AFTER_MS = 2000; // without a connection
const FIRST_RETRY_MS = 300, LONGEST_RETRY_MS = 5000;
const QUIET_MS = 4000; // the server is heard every two seconds
const FIRST_TRIAL_MS = 30000, LONGEST_TRIAL_MS = 300000; // while requests do: until the stream is tried again
const STEADY_MS = 60000; // a stream that held for so long is soon tried again
const PENDING_MS = 6000; // the answer to a click comes by the stream; if none does, the page stops waiting
const POLLED = "gan.polled";

/** @type {EventSource | null} */
let source = null;
/** @type {(() => void) | null} */
let stopPolling = null;
/** @type {string | null} the run that the connection was opened for */
let tied = null;
let cursor = ""; // id of the last event
let unheard = 0; // connections, one after another, that broke before anything came
let heardAt = 0; // when the first event of this connection came; 0: none has come
let retryMs = 0, trialMs = FIRST_TRIAL_MS;
let retryTimer = 0, trialTimer = 0, quietTimer = 0, goneTimer = 0;

/** Which run this browser looks at: an id, or null for the one that everybody is shown. @param {string | null} run */
export function showRun(run) {
  emit("live");
  chooseRun(run);
  close();
  cursor = "";
  open();
}

/** A new run was begun here: where this browser was tied to an older one, it is no longer. */
export function followChoice() {
  if (!(source || stopPolling) || tied === chosenRun()) return;
  close();
  open();
}

/** @param {import("./store.js").State["connection"]} state */
function setConnection(state) {
  if (store.connection === state) return;
  store.connection = state;
  emit("connection");
}

/** @param {boolean} polled */
function setPolled(polled) {
  if (store.polled === polled) return;
  store.polled = polled;
  rememberHere(POLLED, polled ? "1" : null); // for the next page of this tab, which need not wait in vain
  emit("connection");
}

function open() {
  if (source || stopPolling || document.hidden) return;
  tied = chosenRun();
  connect();
  if (store.polled || unheard > 1) startPolling();
}

function close() {
  clearTimeout(retryTimer);
  stopPolling?.();
  stopPolling = null;
  disconnect();
}

/** @param {string} path */
const ask = (path) => address(path, { ...(tied && { run: tied }), ...(cursor && { cursor }) });

function connect() {
  disconnect();
  source = new EventSource(ask("stream"));
  source.onerror = broken;
  source.addEventListener("ping", hear);
  for (const name of /** @type {(keyof Stream.Events)[]} */ (Object.keys(reducers))) {
    source.addEventListener(name, (message) => {
      hear();
      receive(name, message.lastEventId, JSON.parse(message.data));
    });
  }
  quietTimer = setTimeout(quiet, QUIET_MS);
}

function disconnect() {
  clearTimeout(trialTimer);
  clearTimeout(quietTimer);
  source?.close();
  source = null;
  heardAt = 0;
}

/** The stream gets through. */
function hear() {
  clearTimeout(quietTimer);
  quietTimer = setTimeout(quiet, QUIET_MS);
  heardAt ||= performance.now();
  unheard = 0;
  stopPolling?.();
  stopPolling = null;
  setPolled(false);
  if (cursor) reach(); // a ping before the first snapshot is nothing to be shown
}

/** Nothing comes, not even a ping. */
function quiet() {
  if (stopPolling) {
    tryLater();
    return;
  }
  if (heardAt && performance.now() - heardAt > STEADY_MS) trialMs = FIRST_TRIAL_MS;
  connect(); // a connection may also have died while a laptop slept: then the new one is heard at once
  startPolling();
}

function startPolling() {
  stopPolling ??= poll(() => ask("events"), (rows) => {
    setPolled(true);
    if (cursor || rows.length) reach(); // an empty answer before the first snapshot is nothing to be shown
    for (const [name, id, event] of rows) receive(name, id, event);
  }, lost);
}

/** Requests go on without the stream. */
function tryLater() {
  disconnect();
  trialTimer = setTimeout(connect, trialMs);
  trialMs = Math.min(LONGEST_TRIAL_MS, trialMs * 2);
}

function broken() {
  if (stopPolling) {
    tryLater();
    return;
  }
  if (!heardAt) unheard += 1;
  lost();
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

/** The server answers. */
function reach() {
  forgetTroubles();
  setConnection("open");
}

/**
 * @template {keyof Stream.Events} Name
 * @param {Name} name @param {string} id @param {Stream.Events[Name]} event
 */
function receive(name, id, event) {
  if (!isNews(id, cursor, name === "snapshot")) return;
  cursor = id;
  // A chosen run that is gone (deleted, another server) must not hold this browser.
  if (name === "snapshot" && chosenRun() && "run" in event && event.run !== chosenRun()) chooseRun(tied = null);
  reach();
  reducers[name](event);
  emit(name, event);
}

export function startStream() {
  store.polled = Boolean(recallHere(POLLED));
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
