// One number beside the fakes that says how far they have come, while losses and beliefs stand still in a balanced game.
import { h, setAttribute, setLive } from "../dom.js";
import { generatorShown, hasBoth } from "../generator.js";
import { percent } from "../lib/numbers.js";
import { floorOf, measuredAt, measures, writtenValue } from "../quality/measures.js";
import { isIn, on, store } from "../store.js";
import { number, t } from "../words.js";

const OLD = 0.1; // of the steps so far, while it trains
const SHARES = ["readable", "good", "coverage"]; // the first that a run has; else its leading distance
const FEW = 400; // pictures: of half of them any fakes cover nearly all
const CLOSE = 0.7; // Nearest below it: fakes become copies of the data, and a share in their praise would praise the data

export class Headline {
  #long = h("span", { class: "gan-long" });
  #short = h("span", { class: "gan-short" }); // where there is no room for the other, see samples.css
  #step = h("span", { class: "gan-measured" }); // of a measurement that is older than what is shown
  element = h("b", { id: "headline", class: "gan-headline" }, this.#long, this.#short, this.#step);

  /** @param {AbortSignal} signal */
  constructor(signal) {
    on("snapshot quality moment generator status", () => this.#draw(), signal);
    this.#draw();
  }

  #draw() {
    const name = leading(), measured = name ? measuredAt(name, store.moment) : null;
    setLive(this.#long, measured ? said(name, measured.value) : "");
    setLive(this.#short, measured ? said(name, measured.value, "_short") : "");
    const old = measured && isOld(measured.step);
    setLive(this.#step, old ? ` ${t("headline.old", { step: number(measured.step) })}` : "");
    this.element.classList.toggle("old", Boolean(old));
    this.element.classList.toggle("none", !measured);
    setAttribute(this.element, "title", measured ? explained(name, measured) : null);
  }
}

/** The measure that is read: how near the fakes are to the data where these are few or copied, else a share, else a distance. */
function leading() {
  const { names, first = "" } = measures(), { about, data, moment } = store;
  const few = data !== "points" && (about?.count ?? FEW) < FEW, nearest = measuredAt("nearest", moment)?.value ?? 1;
  if (names.has("nearest") && (few || nearest < CLOSE)) return "nearest";
  return SHARES.find((share) => names.has(share)) ?? first;
}

/** Whether a measurement is of another moment than what is shown; while it trains every one is, a little. @param {number} step */
function isOld(step) {
  const { moment, status } = store, shown = moment ?? status?.step ?? 0;
  return shown - step > (moment === null && isIn("running", "starting") ? OLD * shown : 0);
}

/** @param {string} name @param {number} value @param {"" | "_short"} length of the words */
function said(name, value, length = "") {
  const headline = SHARES.includes(name) ? t(`headline.${name}${length}`, { n: percent(value) })
    : name === "nearest" && value < CLOSE ? t(`headline.close${length}`, { n: writtenValue(name, value) })
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
