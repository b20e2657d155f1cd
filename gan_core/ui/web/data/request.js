// Sends the form's values to the server for a preview of the data, and stores its answer.
// The form itself is gradio's; no value of it is changed here.
import { address } from "../address.js";
import { emit, on } from "../store.js";
import { language } from "../words.js";

const SETTLE_MS = 250, ASK_MS = 300, AGAIN_MS = 1500; // after the last change; while it is made ready; after a lost answer
const BUSY = ["waiting", "working"];

/**
 * @typedef {object} Answer
 * @property {string} state "away" where the server does not answer, else as it says
 * @property {string} [sentence]
 * @property {string} [misfit]
 * @property {Record<string, any> | null} [config] the chosen values, null where the form holds none that can be trained
 * @property {Stream.Progress | null} [progress]
 * @property {Stream.About} [about]
 * @property {string | Stream.RealPoints} [preview]
 */

/** @type {any[] | null} the preset, the data set's kind, and what follows, in the form's own order */
let form = null;
/** @type {Answer} */
let answer = { state: "none" };
/** @type {Record<string, any> | null} */
let config = null;
let round = 0, timer = 0;
let asked = ""; // the form that the last question was about, as JSON
const browser = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const currentAnswer = () => answer;
/** @param {Answer} one */
export const isBusy = ({ state }) => BUSY.includes(state);
/** Whether the form holds something else than what the last question, and so its answer, was about. */
export const hasChanged = () => JSON.stringify(form) !== asked;
export const hasForm = () => form !== null;
/**
 * What the form names, each "" before gradio has filled it.
 * @returns {{ preset: string, kind: string, upload: string, drawing: string }}
 */
export const formValues = () =>
  ({ preset: form?.[0] ?? "", kind: form?.[1] ?? "", upload: form?.[4] ?? "", drawing: form?.[5] ?? "" });

/** All values in the form's own order, null before gradio has filled it. */
export const formInputs = () => form;

/** The values that were chosen for the next run, null where they are not known or cannot be trained. */
export const formConfig = () => config;

/** @param {...any} values what the form holds now */
export function formChanged(...values) {
  form = values;
  emit("form");
  clearTimeout(timer);
  timer = setTimeout(() => { send(); }, answer.state === "none" ? 0 : SETTLE_MS);
}

/** Ask; the newest question counts, whichever answer comes last. @param {boolean} [look] only how far it is */
export async function send(look = false) {
  const mine = ++round;
  clearTimeout(timer);
  asked = JSON.stringify(form);
  try {
    const reply = await post({ values: form, look });
    if (mine !== round) return;
    answer = reply;
    config = reply.config ?? null;
    if (reply.state === "none") timer = setTimeout(() => { send(); }, ASK_MS); // the server has begun anew
    else if (isBusy(reply)) timer = setTimeout(() => { send(true); }, ASK_MS);
  } catch {
    if (mine !== round) return;
    answer = { state: "away" };
    timer = setTimeout(() => { send(look); }, AGAIN_MS);
  }
  emit("preview");
}

/** Nothing is asked for any more. */
export async function cancel() {
  round += 1;
  clearTimeout(timer);
  answer = { state: "cancelled" };
  emit("preview");
  await post({ leave: true }).catch(() => null);
}

/** @param {Record<string, any>} more @param {RequestInit} [options] @returns {Promise<Answer>} */
async function post(more, options = {}) {
  const reply = await fetch(address("data"), { method: "POST", body: JSON.stringify({ who: browser, lang: language, ...more }),
    headers: { "Content-Type": "application/json", "X-Gan-Page": "1" }, ...options });
  return reply.json();
}

addEventListener("pagehide", () => { if (form) post({ leave: true }, { keepalive: true }).catch(() => null); });
addEventListener("pageshow", (event) => { if (event.persisted && form) send(); });
// Start tries again what was refused, and may get it.
on("snapshot", () => { if (form && answer.state === "refused") send(true); });
