// Changes of knobs on their way to the worker: waiting until the stream brings them back. One request is on its way at a time.
import { control } from "../control.js";
import { inForce } from "../store.js";

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

async function send() {
  if (inFlight || !Object.keys(waiting).length) return;
  const changes = inFlight = waiting;
  waiting = {};
  const obeyed = await control("tune", { changes });
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
