// One number beside the fakes that says how far they have come, while losses and beliefs stand still in a balanced game.
import { h, setAttribute, setText } from "../dom.js";
import { generatorShown, hasBoth } from "../generator.js";
import { percent } from "../lib/numbers.js";
import { floorOf, measuredAt, measures, writtenValue } from "../quality/measures.js";
import { on, store } from "../store.js";
import { number, t } from "../words.js";

const SHARES = ["readable", "good", "coverage"]; // the first that a run has; else its leading distance

export class Headline {
  #long = h("span", { class: "gan-long" });
  #short = h("span", { class: "gan-short" }); // where there is no room for the other, see samples.css
  element = h("b", { id: "headline", class: "gan-headline" }, this.#long, this.#short);

  /** @param {AbortSignal} signal */
  constructor(signal) {
    on("snapshot quality moment generator", () => this.#draw(), signal);
    this.#draw();
  }

  #draw() {
    const { names, first = "" } = measures(), name = SHARES.find((share) => names.has(share)) ?? first;
    const measured = name ? measuredAt(name, store.moment) : null;
    setText(this.#long, measured ? said(name, measured.value) : "");
    setText(this.#short, measured ? said(name, measured.value, "_short") : "");
    this.element.classList.toggle("none", !measured);
    setAttribute(this.element, "title", measured ? explained(name, measured) : null);
  }
}

/** @param {string} name @param {number} value @param {"" | "_short"} length of the words */
function said(name, value, length = "") {
  const headline = SHARES.includes(name) ? t(`headline.${name}${length}`, { n: percent(value) })
    : `${t(`measures.${name}`)} ${writtenValue(name, value)}`;
  return hasBoth() && generatorShown() === "now" ? t(`headline.average${length}`, { headline }) : headline;
}

/** @param {string} name @param {{ value: number, step: number }} measured */
function explained(name, { value, step }) {
  const floor = floorOf(name), help = t(`measures.${name}.help`);
  return [t("quality.told", { name: t(`measures.${name}`), value: writtenValue(name, value), help }),
    t(hasBoth() ? "headline.of" : "headline.at", { step: number(step) }),
    ...(floor === null ? [] : [t("headline.floor", { floor: writtenValue(name, floor) })])].join(" ");
}
