// Changes of knobs on their way to the worker: waiting until the stream brings them back. One request is on its way at a time.
import { nativeButton } from "../dom.js";
import { inForce } from "../store.js";

const ANSWER_MS = 8000; // for gradio to say whether the change was obeyed
const ECHO_MS = 2000; // for the stream to bring back what was obeyed

/** @typedef {Record<string, any>} Changes values by the names of fields */

/** @param {any} a @param {any} b */
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** @type {Changes} not confirmed yet */
let pending = {};
/** @type {Changes} not even sent yet */
let waiting = {};
/** @type {Changes | null} */
let inFlight = null;
let timer = 0;
/** @type {Set<string>} */
const refused = new Set();
let changed = () => {};

/** @param {() => void} listener called whenever a change begins or ends to wait */
export function onTuning(listener) {
  changed = listener;
}

/** @param {string} name */
export const isPending = (name) => name in pending;
/** @param {string} name */
export const pendingValue = (name) => pending[name];
/** Whether a change was refused since this was asked the last time. @param {string} name */
export const wasRefused = (name) => refused.delete(name);

/** @param {string} name of a field @param {any} value */
export function tune(name, value) {
  if (!same(value, name in pending ? pending[name] : inForce(name))) pending[name] = waiting[name] = value;
  changed();
  send();
}

/** What the stream has brought back waits no more. */
export function confirmTuning() {
  for (const name of Object.keys(pending)) if (!(name in waiting) && same(pending[name], inForce(name))) delete pending[name];
}

/** Another run is shown. */
export function forgetTuning() {
  pending = {};
  waiting = {};
}

function send() {
  const button = nativeButton("btn-tune");
  if (inFlight || !button || !Object.keys(waiting).length) return;
  inFlight = waiting;
  waiting = {};
  window.ganPage.tuning = JSON.stringify(inFlight);
  button.click();
  timer = setTimeout(() => tuneAnswered(false), ANSWER_MS);
}

/** The worker has obeyed, or the change was refused; the refusal itself is gradio's message. @param {boolean} obeyed */
export function tuneAnswered(obeyed) {
  clearTimeout(timer);
  const changes = inFlight || {};
  inFlight = null;
  // The stream is about to say what was obeyed; if it does not, it is not so.
  if (obeyed) setTimeout(() => forget(changes), ECHO_MS); else forget(changes);
  send();
}

/** @param {Changes} changes */
function forget(changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (!same(pending[name], value) || name in waiting) continue;
    delete pending[name];
    if (!same(value, inForce(name))) refused.add(name);
  }
  changed();
}
