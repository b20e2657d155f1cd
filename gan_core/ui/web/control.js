// What the page asks of the server without the form: POST control/NAME. A refusal is shown as a toast.
import { address } from "./address.js";
import { showRefusal } from "./toast.js";
import { language, t } from "./words.js";

const LONGEST_MS = 30_000; // for an answer
const STOP_MS = 900_000; // a run is saved first, and it may be in the middle of a long step
const STOPPING = ["stop", "resume", "restore"]; // the last two where another run is stopped first

/**
 * The answer, or null where it was refused or none came; then the refusal is shown already.
 * @param {"step" | "tune" | "stop" | "resume" | "restore" | "keep-drawing" | "delete-data"} name
 * @param {Record<string, any>} [body] the shown run is added
 * @returns {Promise<Record<string, any> | null>}
 */
export async function control(name, body = {}) {
  const answer = await post(name, { run: window.ganPage.run, lang: language, ...body }).catch(() => null);
  for (const warning of answer?.warnings ?? []) showRefusal(warning, t("errors.not_saved_title"));
  if (answer?.ok) return answer;
  showRefusal(answer?.message ?? answer?.detail ?? t("banner.gone"), answer?.title); // "detail" where a door is shut
  return null;
}

/** A worker may be warmed up: the run that is asked about may be replaced. Without an answer it only takes longer. */
export function prepare() {
  post("prepare", { lang: language }).catch(() => null);
}

/** @param {string} name @param {Record<string, any>} body @returns {Promise<Record<string, any>>} */
async function post(name, body) {
  const reply = await fetch(address(`control/${name}`), { method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Gan-Page": "1" },
    signal: AbortSignal.timeout(STOPPING.includes(name) ? STOP_MS : LONGEST_MS) });
  return reply.json();
}
