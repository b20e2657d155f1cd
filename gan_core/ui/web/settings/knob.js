// One knob of the run that trains now: its box, its slider, what it began with, and the way back there.
import { shownValue } from "../charts/marks.js";
import { h, setLive, setText } from "../dom.js";
import { parsedPair } from "../lib/pair.js";
import { sliderScale } from "../lib/scale.js";
import { inForce, store } from "../store.js";
import { number, short, t } from "../words.js";
import { isPending, pendingValue, same, tune, wasRefused } from "./tuning.js";

const SETTLE_MS = 350; // after the last move of a slider

/**
 * @typedef {object} KnobSpec as the server describes it
 * @property {string} name of the field
 * @property {"number" | "whole" | "pair" | "choice"} kind
 * @property {[value: string, text: string][]} [choices]
 * @property {import("../lib/scale.js").Slider | null} [slider]
 * @property {[low: number, high: number]} [allowed]
 * @property {boolean} [of_fit] whether a notebook's fit is given it
 */

export class Knob {
  #spec;
  #box;
  #was = h("span", { class: "gan-was" });
  #back;
  #decayed = h("div", { class: "gan-decayed" }); // what is in force of a value that falls with the step
  /** @type {ReturnType<typeof sliderScale> | null} */
  #scale = null;
  /** @type {HTMLInputElement | null} */
  #slider = null;

  /** @param {KnobSpec} spec */
  constructor(spec) {
    const { name, kind, slider } = spec, label = t(`fields.${name}`);
    this.#spec = spec;
    this.#box = boxOf(spec);
    this.#box.addEventListener("change", () => {
      const value = this.#typed();
      if (value === null) this.#put(inForce(name), true); else tune(name, value);
    });
    this.#box.addEventListener("keydown", (event) => {
      if (/** @type {KeyboardEvent} */ (event).key === "Escape") this.#put(inForce(name), true);
    });
    const goBack = () => tune(name, store.config?.[name]);
    this.#back = h("button", { type: "button", class: "gan-back", onclick: goBack }, t("knobs.back"));
    if (slider) {
      this.#scale = sliderScale(slider, kind === "whole");
      this.#slider = h("input", { type: "range", min: 0, max: this.#scale.last, step: 1, "aria-label": label });
    }
    this.element = h("div", { class: "gan-knob", "data-knob": name, title: t(`fields.${name}.help`) },
      h("label", { for: this.#box.id }, label), this.#box, this.#slider, this.#decayed,
      h("div", { class: "gan-start" }, this.#was, this.#back));
    if (this.#slider && this.#scale) this.#watchSlider(this.#slider, this.#scale);
  }

  /** @param {boolean} may */
  draw(may) {
    const { name, of_fit } = this.#spec, waits = isPending(name), now = inForce(name), start = store.config?.[name];
    const given = of_fit && Boolean(store.status?.kernel), enabled = may && !given, changed = !same(now, start);
    this.#box.disabled = !enabled;
    if (this.#slider) this.#slider.disabled = !enabled;
    this.element.classList.toggle("gan-waits", waits);
    this.element.classList.toggle("gan-changed", now !== undefined && changed);
    const was = changed ? t("knobs.was", { value: shownValue(start) }) : "";
    setText(this.#was, given ? t("knobs.of_fit") : waits ? t("knobs.waiting") : was);
    setLive(this.#decayed, decayedWords(name));
    this.#back.hidden = waits || !changed || !enabled;
    const value = waits ? pendingValue(name) : now;
    if (value !== undefined && !this.element.classList.contains("gan-moving")) this.#put(value, waits);
  }

  /**
   * A box with the cursor in it is left alone, unless its value waits or was refused, or `always`.
   * @param {any} value
   * @param {boolean} always
   */
  #put(value, always) {
    if (value === undefined) return;
    const { name, kind } = this.#spec;
    const free = document.activeElement !== this.#box || always || wasRefused(name);
    if (free) this.#box.value = kind === "pair" ? value.join("; ") : String(value);
    if (!this.#slider || !this.#scale) return;
    this.#slider.value = String(this.#scale.place(value));
    this.#slider.setAttribute("aria-valuetext", String(value));
  }

  /** null: nothing. */
  #typed() {
    const { kind } = this.#spec, { value } = this.#box;
    if (kind === "choice") return value;
    if (value.trim() === "") return null;
    if (kind !== "pair") return Number(value);
    const numbers = parsedPair(value);
    return numbers.some(Number.isNaN) ? value : numbers; // the refusal repeats what was typed
  }

  /** @param {HTMLInputElement} slider @param {ReturnType<typeof sliderScale>} scale */
  #watchSlider(slider, scale) {
    let timer = 0;
    const moved = () => {
      clearTimeout(timer);
      this.#box.value = String(scale.value(Number(slider.value)));
      slider.setAttribute("aria-valuetext", this.#box.value);
    };
    slider.addEventListener("input", () => {
      moved();
      this.element.classList.add("gan-moving");
    });
    slider.addEventListener("change", () => {
      moved();
      timer = setTimeout(() => {
        this.element.classList.remove("gan-moving");
        tune(this.#spec.name, Number(this.#box.value));
      }, SETTLE_MS);
    });
  }
}

/** What the run uses of a value that falls with the step; "" of any other, and of one that waits. @param {string} name */
function decayedWords(name) {
  if (isPending(name) || !(name in store.decayed)) return "";
  const end = inForce("decay_steps"), over = (store.status?.step ?? 0) >= end;
  return t(over ? "knobs.fell" : "knobs.falls", { value: short(store.decayed[name]), step: number(end) });
}

/** @param {KnobSpec} spec */
function boxOf({ name, kind, choices = [], allowed }) {
  const [low, high] = allowed ?? [], id = `knob-${name}`;
  if (kind === "choice") return h("select", { id }, ...choices.map(([value, text]) => h("option", { value }, text)));
  const whole = kind === "whole";
  return h("input", { id, type: kind === "pair" ? "text" : "number", step: whole ? 1 : "any", "data-whole": whole,
    min: low, max: high, autocomplete: "off" });
}
