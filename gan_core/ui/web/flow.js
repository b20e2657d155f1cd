// The line noise -> generator -> fake -> discriminator -> verdict.
import { h, setAttribute, setLive } from "./dom.js";
import { percent } from "./lib/numbers.js";
import { recentMean } from "./lib/series.js";
import { beliefOf } from "./samples/belief.js";
import { toggleVerdicts, verdictsShown } from "./samples/verdicts.js";
import { isIn, isSteered, on, store } from "./store.js";
import { strideChoice } from "./transport/steps.js";
import { number, pair, t } from "./words.js";

/** @type {import("./mount.js").Part} */
export function flow(root, signal) {
  const relative = /** @type {string[]} */ (JSON.parse(root.dataset.flow ?? "[]"));
  const verdict = h("b", {}, t("flow.verdict_none")), gap = h("span", { class: "gan-gap" });
  const made = h("span", { class: "gan-made" });
  const box = (/** @type {string} */ look, /** @type {string} */ name, /** @type {Node | string} */ inner) =>
    h("span", { class: `gan-box ${look}`, "data-box": name, title: t(`flow.help_${name}`) }, inner);
  // A press shows the verdict on each picture; of points the plane shows it everywhere, and there is nothing to press.
  const plainBox = box("v", "verdict", "");
  const verdictBox = h("button", { type: "button", id: "verdicts-shown", class: "gan-box v", "data-box": "verdict",
    onclick: toggleVerdicts }, verdict);
  const arrow = (word = "") =>
    h("span", { class: "gan-arrow" }, "\u2192", word ? h("span", { class: "gan-word" }, ` ${word} \u2192`) : null);
  const line = h("div", { class: "gan-flow", role: "group", "aria-label": t("flow.label") },
    box("", "noise", t("flow.noise")), arrow(), box("g", "counterfeiter", t("flow.counterfeiter")),
    arrow(t("flow.fake")), box("d", "expert", t("flow.expert")), arrow(), verdictBox, gap, made);

  let drawings = 0;
  async function draw() {
    const { moment } = store, probe = probeLooked(), still = probe || isGoing() ? null : frameLooked(), drawing = ++drawings;
    // Batches of a second while it trains; where the page stands still, that frame's own fakes.
    const mean = still ? (await beliefOf(still)) ?? ofBatch() : recentMean(store.series.d_fake, batches());
    if (drawing !== drawings) return; // something else may be looked at by now
    setLive(verdict, probe ? probed(probe) : mean === null ? t("flow.verdict_none") : t("flow.verdict", { n: percent(mean) }));
    setLive(gap, probe ? distance(probe) : moment === null ? "" : t("samples.at_step", { step: number(moment) }));
    setLive(made, stepsMade(probe));
    setAttribute(gap, "title", probe ? helpOf(probe, relative.includes(store.config?.loss)) : null);
    line.classList.toggle("probed", Boolean(probe)); // room for two numbers
    line.classList.toggle("past", moment !== null && isIn("paused")); // room for its step beside the choice of how many
    strideChoice.hidden = !store.controls.step || !isSteered();
  }
  root.append(h("div", { class: "gan-flow-row" }, strideChoice, line));
  on("snapshot metrics status moment frame", draw, signal);
  draw();
  function drawSwitch() {
    const [standing, other] = store.data === "points" ? [plainBox, verdictBox] : [verdictBox, plainBox];
    if (verdict.parentNode !== standing) standing.append(verdict);
    other.replaceWith(standing);
    setAttribute(verdictBox, "aria-pressed", String(verdictsShown()));
    setAttribute(verdictBox, "title", `${t("flow.help_verdict")} ${t("verdicts.help")}`);
  }
  on("snapshot frame verdicts-shown", drawSwitch, signal);
  drawSwitch();
}

/** What single steps did, while the run waits where they led. */
const probeLooked = () => (store.moment === null && isIn("paused") ? store.status?.probe ?? null : null);
const isGoing = () => store.moment === null && isIn("running", "starting");

/** What was found of the batch of the step that is looked at, where its frame says nothing; null where no batch does. */
function ofBatch() {
  const { series, moment, frame } = store;
  return series.d_fake?.[series.step.lastIndexOf(moment ?? frame?.step ?? -1)] ?? null;
}

const FEWEST = 4, MOST = 20; // batches whose mean is read: one jumps too much

/** How many steps are made in a second, in those bounds. */
const batches = () =>
  Math.min(MOST, Math.max(FEWEST, Math.round((store.status?.speed || 0) / (store.config?.batch_size || 1))));

/** The frame on the page; null where there is none. */
function frameLooked() {
  const { run, frame, history, moment, data, config } = store;
  const looked = moment === null ? frame : history.find(({ step }) => step === moment);
  return run && looked ? { run, seq: looked.seq, points: data === "points", single: !config?.ema_half_life } : null;
}

/** @param {Stream.Probe} probe */
const probed = ({ before, after }) => (before ? t("flow.verdict_step", beliefs(before, after, "fake"))
  : t("flow.verdict", { n: percent(after.fake) }));

/**
 * How far apart the discriminator keeps the two: with each of its updates its whole level wanders, so only the distance says
 * what it has learned.
 * @param {Stream.Probe} probe
 */
function distance({ before, after }) {
  const points = (/** @type {Stream.Beliefs} */ { real, fake }) => 100 * (real - fake);
  const minus = (/** @type {string} */ n) => n.replace("-", "\u2212");
  const [from, n] = pair(points(before ?? after), points(after)).map(minus);
  return before ? t("flow.gap_step", { before: from, n }) : t("flow.gap", { n });
}

/** @param {Stream.Probe | null | undefined} probe */
const stepsMade = (probe) =>
  (probe?.before ? t(probe.steps === 1 ? "flow.in_step" : "flow.in_steps", { n: number(probe.steps) }) : "");

/** @param {Stream.Probe} probe @param {boolean} relative whether the loss is */
const helpOf = (probe, relative) => [t(probe.before ? "flow.help_gap_step" : "flow.help_gap",
  { fakes: change(probe, "fake"), reals: change(probe, "real"), steps: stepsMade(probe) }),
...(relative ? [t("flow.help_relative")] : [])].join(" ");

/** In percent. @param {Stream.Beliefs} from @param {Stream.Beliefs} to @param {"real" | "fake"} kind */
function beliefs(from, to, kind) {
  const [before, n] = pair(100 * from[kind], 100 * to[kind]);
  return { before, n };
}

/** @param {Stream.Probe} probe @param {"real" | "fake"} kind */
function change({ before, after }, kind) {
  const { before: from, n } = beliefs(before ?? after, after, kind);
  return (before ? `${from}% \u2192 ` : "") + `${n}%`;
}
