// The line noise -> generator -> fake -> discriminator -> verdict.
import { h, setAttribute, setText } from "./dom.js";
import { percent } from "./lib/numbers.js";
import { recentMean, until } from "./lib/series.js";
import { toggleVerdicts, verdictsShown } from "./samples/verdicts.js";
import { isSteered, on, store } from "./store.js";
import { strideChoice } from "./transport/steps.js";
import { number, t } from "./words.js";

/** @type {import("./mount.js").Part} */
export function flow(root, signal) {
  const verdict = h("b", {}, t("flow.verdict_none")), gap = h("span", { class: "gan-gap" });
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
    arrow(t("flow.fake")), box("d", "expert", t("flow.expert")), arrow(), verdictBox, gap);

  function draw() {
    const { series, moment, status } = store, probe = moment === null && status?.state === "paused" ? status.probe : null;
    const past = moment === null ? series.d_fake : until(series, "d_fake", moment);
    const mean = probe ? probe.after.fake : recentMean(past);
    setText(verdict, probe?.before ? t("flow.verdict_step", { before: percent(probe.before.fake), n: percent(probe.after.fake) })
      : mean === null ? t("flow.verdict_none") : t("flow.verdict", { n: percent(mean) }));
    setText(gap, probe ? distance(probe) : moment === null ? "" : t("samples.at_step", { step: number(moment) }));
    const help = probe && t(probe.before ? "flow.help_gap_step" : "flow.help_gap",
      { fakes: change(probe, "fake"), reals: change(probe, "real") });
    setAttribute(gap, "title", help ?? null);
    line.classList.toggle("probed", Boolean(probe)); // room for two numbers
    strideChoice.hidden = !store.controls.step || !isSteered();
  }
  root.append(h("div", { class: "gan-flow-row" }, strideChoice, line));
  on("snapshot metrics status moment", draw, signal);
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

/**
 * How far apart the discriminator keeps the two: with each of its updates its whole level wanders, so only the distance says
 * what it has learned.
 * @param {Stream.Probe} probe
 */
function distance({ before, after }) {
  const points = (/** @type {Stream.Beliefs} */ { real, fake }) => String(Math.round(100 * (real - fake))).replace("-", "\u2212");
  return before ? t("flow.gap_step", { before: points(before), n: points(after) }) : t("flow.gap", { n: points(after) });
}

/** @param {Stream.Probe} probe @param {"real" | "fake"} kind */
const change = ({ before, after }, kind) =>
  (before ? `${percent(before[kind])}% \u2192 ` : "") + `${percent(after[kind])}%`;
