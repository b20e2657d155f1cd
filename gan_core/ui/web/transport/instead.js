// A run goes on in place of the active one, which is saved and stopped for it: both are named in the question and in the request,
// so that no other one is stopped.
import { control, prepare } from "../control.js";
import { openTrainView } from "../present.js";
import { isIn, store } from "../store.js";
import { showRun } from "../stream.js";
import { number, runTitle, t } from "../words.js";
import { ask } from "./dialog.js";

/** @typedef {{ id: string, name: string }} Rival the run that would be stopped */

/** The active run, where it keeps the shown one from being begun anew. @returns {Rival | null} */
export function rivalOfShown() {
  const { run, active, active_run } = store, ended = isIn("stopped", "failed", "finished");
  if (!ended || !active || !active_run || active === run) return null;
  const step = t("samples.at_step", { step: number(active_run.step) });
  return { id: active, name: `${runTitle(active, active_run)} (${step})` };
}

/** @param {string | null} run @param {Rival} rival */
export async function askToResume(run, { id, name }) {
  prepare(); // while somebody reads the question
  const choice = await ask(t("dialog.instead_title", { name }), t("dialog.instead_text", { name }), [t("dialog.instead_go")]);
  if (choice < 0 || !await control("resume", { run, instead_of: id })) return;
  showRun(run);
  openTrainView();
}
