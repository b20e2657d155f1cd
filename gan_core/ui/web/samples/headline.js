// One number beside the fakes that says how far they have come, while losses and beliefs stand still in a balanced game.
import { h, setAttribute, setText } from "../dom.js";
import { generatorShown, hasBoth } from "../generator.js";
import { percent } from "../lib/numbers.js";
import { floorOf, measuredAt, measures, writtenValue } from "../quality/measures.js";
import { on, store } from "../store.js";
import { number, t } from "../words.js";

const SHARES = ["readable", "good", "coverage"]; // the first that a run has; else its leading distance

export class Headline {
  element = h("b", { id: "headline", class: "gan-headline" });

  /** @param {AbortSignal} signal */
  constructor(signal) {
    on("snapshot quality moment generator", () => this.#draw(), signal);
    this.#draw();
  }

  #draw() {
    const { names, first = "" } = measures(), name = SHARES.find((share) => names.has(share)) ?? first;
    const measured = name ? measuredAt(name, store.moment) : null;
    setText(this.element, measured ? said(name, measured.value) : "");
    setAttribute(this.element, "title", measured ? explained(name, measured) : null);
  }
}

/** @param {string} name @param {number} value */
function said(name, value) {
  const headline = SHARES.includes(name) ? t(`headline.${name}`, { n: percent(value) })
    : `${t(`measures.${name}`)} ${writtenValue(name, value)}`;
  return hasBoth() && generatorShown() === "now" ? t("headline.average", { headline }) : headline;
}

/** @param {string} name @param {{ value: number, step: number }} measured */
function explained(name, { value, step }) {
  const floor = floorOf(name), help = t(`measures.${name}.help`);
  return [t("quality.told", { name: t(`measures.${name}`), value: writtenValue(name, value), help }),
    t(hasBoth() ? "headline.of" : "headline.at", { step: number(step) }),
    ...(floor === null ? [] : [t("headline.floor", { floor: writtenValue(name, floor) })])].join(" ");
}
