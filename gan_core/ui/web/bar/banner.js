// What the banner under the bar says.
import { progressWords } from "../data/progress.js";
import { isIn, isNotebooksOwn, isSteered, store } from "../store.js";
import { language, number, t } from "../words.js";
import { isSilent } from "./pill.js";

const ERRORS = ["diverged", "out_of_memory", "killed", "refused", "crashed"];

/** @typedef {{ look: "failed" | "wait", text: string, stop?: boolean, dismiss?: boolean }} Banner */

/** @param {string} dismissed key of the notice that was read here @returns {Banner | null} */
export function bannerState(dismissed) {
  const { status, connection, kind } = store;
  if (connection === "gone") return { look: "failed", text: t("banner.gone") };
  if (!status) return null;
  if (status.state === "failed" && status.error) return { look: "failed", text: failure(status, status.error) };
  const waiting = isSilent() ? t("banner.silent", { n: Math.round(store.silent) }) : beginning(status);
  if (waiting) return { look: "wait", text: waiting, stop: isSteered() };
  if (kind === "reading") return { look: "wait", text: t("banner.reading") };
  if (kind === "remote") return { look: "wait", text: t("banner.remote", { origin: store.origin || "" }) };
  if (status.notice && dismissed !== noticeKey()) {
    return { look: "wait", text: status.noticed?.[language] || status.notice, dismiss: true };
  }
  return isLeft() ? { look: "wait", text: t("runs.not_resumed_notebook") } : null;
}

/** A run that was stopped, and that only its notebook can go on with. */
const isLeft = () => isIn("stopped") && isNotebooksOwn();

/** What a run waits for before its first step, "" where it waits for nothing. @param {Stream.Status} status */
function beginning({ state, restarting, progress, processes, checkpoint_step }) {
  if (state !== "starting") return "";
  if (restarting) return t("banner.restarting", { n: number(processes), step: number(Math.max(0, checkpoint_step)) });
  return progress ? t("banner.loading", { what: progressWords(progress, ", ") }) : "";
}

/** Another run's notice, or another notice, is shown again. */
export const noticeKey = () => `${store.run} ${store.status?.notice}`;

/** @param {Stream.Status} status @param {Stream.FailureWithSentences} error */
function failure(status, { kind, message, step, said }) {
  const known = ERRORS.includes(kind) ? kind : "crashed", own = ["refused", "crashed"].includes(known) ? message : "";
  const reason = said?.[language] || own || t(`banner.${known}`);
  const resume = store.controls.resume && status.checkpoint_step >= 0
    ? " " + t("banner.failed_resume", { step: number(status.checkpoint_step) })
    : isNotebooksOwn() ? " " + t("runs.not_resumed_notebook") : "";
  return t("banner.failed", { step: number(step ?? status.step), message: reason }) + resume;
}
