// The buttons above the list of runs: which of them can be pressed, and in words why the chosen run cannot be resumed.
import { h, nativeButton, setAttribute, setText } from "../dom.js";
import { passOn } from "../focus.js";
import { on, store } from "../store.js";
import { t } from "../words.js";
import { watchRows } from "./rows.js";

const reason = h("p", { id: "runs-reason", role: "status" }); // a screen reader says it when it changes

/** @typedef {import("../transport/instead.js").Rival} Rival */
/** @typedef {import("../transport/go_on.js").Finished} Finished */
/** @type {{ run: string, rival: Rival | null, finished: Finished | null } | null} */
let asking = null;
/** The chosen run, where it is asked before it is resumed: the one that would be stopped for it, and whether it has finished. */
export const chosenQuestion = () => asking;

/** What may be done with a run depends on it. */
const situation = () => [store.active, store.active_run?.state, store.status?.state, ...store.ending].join();

/** @param {HTMLElement} root @param {AbortSignal} signal */
export function runReason(root, signal) {
  root.append(reason);
  let before = situation();
  on("snapshot status", () => {
    const changed = situation() !== before;
    before = situation();
    // A list that is open is read anew; any other one is read when it is opened.
    if (changed && reason.checkVisibility()) nativeButton("btn-refresh")?.click();
  }, signal);
  watchRows(signal);
  passOn("btn-stop-run", () => ["btn-resume-run", "btn-refresh"].map(nativeButton));
}

/**
 * What gradio is to do with the buttons: show, resume, stop, detach.
 * @param {string | null} run the chosen one
 * @param {string} abilities JSON, by run: {resume, stop, detach, reason, instead, finished}
 */
export function runButtons(run, abilities) {
  const able = JSON.parse(abilities)[run ?? ""], resume = nativeButton("btn-resume-run");
  asking = run && (able?.instead || able?.finished)
    ? { run, rival: able.instead, finished: able.finished && { run, ...able.finished } } : null;
  setText(reason, able ? able.reason : t("runs.not_resumed_none"));
  if (resume) setAttribute(resume, "aria-describedby", reason.textContent ? reason.id : null);
  const enabled = [Boolean(able), able?.resume, able?.stop, able?.detach];
  return enabled.map((yes) => ({ interactive: Boolean(yes), __type__: "update" }));
}
