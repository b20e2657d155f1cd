// What the pill on the bar says.
import { progressShare } from "../data/progress.js";
import { isIn, store } from "../store.js";
import { t } from "../words.js";

const SILENT_S = 3; // a living worker that is not heard for longer

/** A worker that should be heard has not been. */
export const isSilent = () => isIn("starting", "running", "paused") && store.silent > SILENT_S;

/**
 * `name`: the state's English name, for programs; `look` decides the colour.
 * @returns {{ name: string, look: string, text: string }}
 */
export function pillState() {
  const { status, connection, worker, pending } = store;
  const beginning = t(worker === "warming" ? "states.warming" : "states.starting");
  if (connection === "gone") return { name: "gone", look: "failed", text: t("states.gone") };
  if (connection === "connecting" && !status) return { name: "loading", look: "wait", text: t("states.loading") };
  if (pending === "start" && !status?.progress && !isIn("running", "paused")) {
    return { name: status ? status.state : "none", look: "wait", text: beginning };
  }
  if (!status) return { name: "none", look: "still", text: t(worker === "warming" ? "states.warming" : "states.none") };
  return knownState(status, beginning);
}

/** @param {Stream.Status} status @param {string} beginning */
function knownState(status, beginning) {
  const name = status.state;
  if (isSilent()) return { name, look: "failed", text: t("states.silent", { n: Math.round(store.silent) }) };
  if (store.ending.includes(store.run ?? "")) return { name, look: "wait", text: t("states.saving") };
  if (name === "starting") {
    const text = status.restarting ? t("states.restarting") : status.progress ? progressShare(status.progress) : beginning;
    return { name, look: "wait", text };
  }
  if (store.kind === "starter") return { name, look: "still", text: t("states.starter") };
  const looks = { running: "run", paused: "paused", failed: "failed" };
  return { name, look: name in looks ? looks[/** @type {keyof looks} */ (name)] : "still", text: t(`states.${name}`) };
}
