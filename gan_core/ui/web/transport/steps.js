// Single steps of a paused run: how many a press makes, and presses that come faster than their answers add up.
import { control } from "../control.js";
import { h } from "../dom.js";
import { keepOnce, takeOnce } from "../storage.js";
import { isIn, isSteered, on, store } from "../store.js";
import { number, t } from "../words.js";

/** @type {Record<string, string>} */
const NETWORKS = { "btn-step": "both", "btn-step-d": "discriminator", "btn-step-g": "generator" };
const STRIDES = [1, 10, 100];
const SEEN_MS = 1000; // until the stream has said that the rest of many steps is being made

const said = t("transport.stride");
/** The choice of how many; seen while steps can be made. */
export const strideChoice = h("select", { id: "step-stride", class: "gan-seed", title: said, "aria-label": said },
  ...STRIDES.map((count) => h("option", { value: count }, `\u00d7${number(count)}`)));

const KEPT = "gan.stride"; // over a change of language
strideChoice.value = String(takeOnce(KEPT) ?? STRIDES[0]);
export const keepStride = () => keepOnce(KEPT, Number(strideChoice.value));

let pointed = false; // by a mouse or a finger: then the keys are the page's again after the choice
strideChoice.addEventListener("pointerdown", () => { pointed = true; });
strideChoice.addEventListener("change", () => {
  if (pointed) strideChoice.blur();
  pointed = false;
});

/** @type {{ run: string | null, network: string, count: number }[]} */
let waiting = [];
let busy = false;

/** What a press of a step's button means now, or null where it begins a new run, which needs the form. @param {string} id */
export function stepsOf(id) {
  if (!(id in NETWORKS) || !isSteered() || !isIn("paused")) return null;
  return () => {
    const { run } = store, network = NETWORKS[id], count = Number(strideChoice.value), last = waiting.at(-1);
    if (last?.run === run && last.network === network) last.count += count; else waiting.push({ run, network, count });
    if (!busy) make();
  };
}

/** Whoever presses another button wants no more of them. */
export function forgetSteps() {
  waiting = [];
}

async function make() {
  busy = true;
  while (waiting.length) {
    const [steps] = waiting.splice(0, 1), answer = await control("step", steps);
    if (!answer || steps.run !== store.run) forgetSteps();
    else if (answer.state === "running") await pausedAgain();
  }
  busy = false;
}

/** Many steps are made as by a running run that then pauses itself. */
function pausedAgain() {
  const listening = new AbortController();
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    let seen = isIn("running");
    const look = () => {
      seen ||= isIn("running");
      if (!seen || isIn("running")) return;
      listening.abort();
      resolve();
    };
    on("status snapshot", look, listening.signal);
    setTimeout(() => { seen = true; look(); }, SEEN_MS);
  }));
}
