// What the banner under the bar says.
import { progressWords } from "../data/progress.js";
import { store } from "../store.js";
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
  const stop = kind === "run";
  if (isSilent()) return { look: "wait", text: t("banner.silent", { n: Math.round(store.silent) }), stop };
  if (status.state === "starting" && status.restarting) {
    const step = number(Math.max(0, status.checkpoint_step));
    return { look: "wait", text: t("banner.restarting", { n: number(status.processes), step }), stop };
  }
  if (status.state === "starting" && status.progress) {
    return { look: "wait", text: t("banner.loading", { what: progressWords(status.progress, ", ") }), stop };
  }
  if (kind === "reading") return { look: "wait", text: t("banner.reading") };
  if (kind === "remote") return { look: "wait", text: t("banner.remote", { origin: store.origin || "" }) };
  if (status.notice && dismissed !== noticeKey()) {
    return { look: "wait", text: status.noticed?.[language] || status.notice, dismiss: true };
  }
  return null;
}

/** Another run's notice, or another notice, is shown again. */
export const noticeKey = () => `${store.run} ${store.status?.notice}`;

/** @param {Stream.Status} status @param {Stream.RunError} error */
function failure(status, { kind, message, step, said }) {
  const sentence = said?.[language] || message;
  const reason = ["refused", "crashed"].includes(kind) && sentence ? sentence : t(`banner.${ERRORS.includes(kind) ? kind : "crashed"}`);
  const resume = store.controls.resume && status.checkpoint_step >= 0
    ? " " + t("banner.failed_resume", { step: number(status.checkpoint_step) }) : "";
  return t("banner.failed", { step: number(step ?? status.step), message: reason }) + resume;
}
