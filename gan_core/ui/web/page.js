// window.ganPage: the one object that gradio's event snippets use. boot.js puts it up, so that a snippet that runs before the
// modules are there can use it too: values are plain fields, and `call` waits for the functions that `answerGradio` hands in.
import { keptForm } from "./data/kept_form.js";
import { formChanged } from "./data/request.js";
import { askToDelete } from "./data/uploads.js";
import { runButtons } from "./runs/buttons.js";
import { emit, on, store } from "./store.js";
import { followChoice, showRun } from "./stream.js";

/** @typedef {Record<string, (...values: any[]) => any>} Calls the functions below */
/**
 * @typedef {object} GanPage
 * @property {string} language in use
 * @property {string[]} languages that there are
 * @property {string} run id of the shown run, "" while there is none
 * @property {() => boolean} isDark
 * @property {() => void} paint puts the chosen colours on the page
 * @property {(name: string, ...values: any[]) => Promise<any>} call one of the functions below, as soon as they are there
 * @property {(calls: Calls) => void} open called once, when they are there
 */

/** @type {Calls} */
const calls = {
  /** What the form of the next run holds now. */
  formChanged,
  keptForm,
  askToDelete,
  /** Look at this run from now on. @param {string | null} run */
  showRun(run) {
    if (run) showRun(run);
  },
  runButtons,
  /** A new run has begun, or a step is made. */
  startAccepted() {
    followChoice();
  },
  /** Nothing is starting after all. */
  startRefused() {
    store.pending = "";
    emit("status");
  },
};

export function answerGradio() {
  on("snapshot", () => { window.ganPage.run = store.run ?? ""; });
  window.ganPage.open(calls);
}
