// The rows of the list of runs that change while it is open: state and step of the one that trains, and of those that are being
// saved. The list itself is gradio's, and of some moment before; the numbers come by the stream, which every page has anyway.
import { isIn, on, store } from "../store.js";
import { number, t } from "../words.js";

const BETWEEN = " \u00b7 "; // the facts of a row, see card() in forms/runs_tab.py

/** @param {AbortSignal} signal */
export function watchRows(signal) {
  on("snapshot status page", draw, signal);
}

function draw() {
  const { active, active_run, ending, run, status } = store, list = document.getElementById("runs");
  // A translation would put its own texts in the place of those that gradio writes into.
  if (list?.translate) list.translate = false;
  if (!list?.checkVisibility()) return;
  for (const id of new Set([...(active ? [active] : []), ...ending])) {
    const isShown = id === run && isIn("starting", "running", "paused");
    const { state, step } = (isShown ? status : id === active ? active_run : null) ?? {};
    write(list, id, ending.includes(id) ? "saving" : state, step);
  }
}

/** @param {HTMLElement} list @param {string} id @param {string} [state] @param {number} [step] */
function write(list, id, state, step) {
  const label = list.querySelector(`input[value="${CSS.escape(id)}"]`)?.closest("label")?.querySelector("span");
  const text = /** @type {Text | null | undefined} */ (label?.firstChild); // written in place: it stays gradio's
  if (!text?.data) return;
  const lines = text.data.split("\n"), facts = lines[1]?.split(BETWEEN) ?? [];
  if (facts.length < 2) return;
  if (state) facts[0] = t(`states.${state}`);
  if (step !== undefined) facts[1] = t("samples.at_step", { step: number(step) });
  const written = [lines[0], facts.join(BETWEEN), ...lines.slice(2)].join("\n");
  if (written !== text.data) text.data = written;
}
