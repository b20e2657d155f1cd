// The line noise -> generator -> fake -> discriminator -> verdict.
import { h, setText } from "./dom.js";
import { percent } from "./lib/numbers.js";
import { recentMean } from "./lib/series.js";
import { on, store } from "./store.js";
import { t } from "./words.js";

/** @type {import("./mount.js").Part} */
export function flow(root, signal) {
  const verdict = h("b", {}, t("flow.verdict_none"));
  const box = (/** @type {string} */ look, /** @type {string} */ name, /** @type {Node | string} */ inner) =>
    h("span", { class: `gan-box ${look}`, title: t(`flow.help_${name}`) }, inner);
  const arrow = (word = "") =>
    h("span", { class: "gan-arrow" }, "\u2192", word ? h("span", { class: "gan-word" }, ` ${word} \u2192`) : null);
  root.append(h("div", { class: "gan-flow", role: "img", "aria-label": t("flow.label") },
    box("", "noise", t("flow.noise")), arrow(), box("g", "counterfeiter", t("flow.counterfeiter")),
    arrow(t("flow.fake")), box("d", "expert", t("flow.expert")), arrow(), box("v", "verdict", verdict)));

  function draw() {
    const mean = recentMean(store.series.d_fake);
    setText(verdict, mean === null ? t("flow.verdict_none") : t("flow.verdict", { n: percent(mean) }));
  }
  on("snapshot metrics", draw, signal);
  draw();
}
