// The slider over the kept frames of the run, and the button back to the newest.
import { h, setLive } from "../dom.js";
import { emit, store } from "../store.js";
import { number, t } from "../words.js";

export class HistorySlider {
  /** @type {Stream.Kept | null} the frame that is looked at; null: the newest */
  chosen = null;
  #slider = h("input", { type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": t("samples.history"), disabled: true });
  #step = h("span", { class: "gan-at" });
  #live = h("button", { type: "button", class: "gan-btn gan-small", "aria-pressed": "true" },
    h("i", { class: "gan-dot" }), t("samples.live"));
  element = h("span", { class: "gan-scrub" }, this.#step, this.#slider, this.#live);
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
    this.#slider.addEventListener("input", () => this.#choose());
    this.#live.addEventListener("click", () => this.#goLive());
  }

  /** Back from the past, if one is there. */
  leavePast() {
    if (this.chosen) this.#goLive();
  }

  /** The moment that is looked at, among what is kept by now. */
  follow() {
    const { moment, history } = store, { chosen } = this;
    const same = history.filter(({ step }) => step === moment);
    this.chosen = same.find(({ seq }) => seq === chosen?.seq) ?? same[0] ?? null;
  }

  #goLive() {
    this.#slider.value = this.#slider.max;
    this.#choose();
  }

  /** @param {number | null} step that is on the page */
  showStep(step) {
    setLive(this.#step, step === null ? "" : t("samples.at_step", { step: number(step) }));
  }

  draw() {
    const { history } = store, chosen = this.chosen, top = Math.max(0, history.length - 1);
    this.#slider.max = String(top);
    this.#slider.disabled = top < 1;
    const place = chosen ? history.findIndex(({ seq }) => seq === chosen.seq) : top;
    if (document.activeElement !== this.#slider || !chosen) this.#slider.value = String(place < 0 ? top : place);
    this.#live.setAttribute("aria-pressed", String(!chosen));
  }

  #choose() {
    const place = Number(this.#slider.value);
    this.chosen = place >= store.history.length - 1 ? null : store.history[place];
    store.moment = this.chosen ? this.chosen.step : null;
    emit("moment");
    this.#changed();
    const { step } = this.chosen || store.frame || { step: 0 };
    this.#slider.setAttribute("aria-valuetext", t("samples.at_step", { step: number(step) }));
    this.draw();
  }
}
