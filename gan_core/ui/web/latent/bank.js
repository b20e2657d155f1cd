// The sliders: one for each direction, or one for each coordinate of z.
import { h, setLive, setText } from "../dom.js";
import { signed } from "../lib/numbers.js";
import { hasOwnNetworks } from "../store.js";
import { decimal, t } from "../words.js";
import { recall, remember } from "../storage.js";

const REACH = { directions: 6, raw: 4 }; // to both sides
const UNSEEN = 0.05; // less than this is written as 0

/**
 * @typedef {object} Values
 * @property {(k: number) => number} get
 * @property {(k: number, value: number, when: number) => void} set
 */

export class Bank {
  element = h("div", { id: "latent-sliders", class: "gan-bank", role: "group", "aria-label": t("latent.title") });
  #values;
  /** @type {{ input: HTMLInputElement, number: HTMLElement, element: HTMLElement }[]} */
  #rows = [];

  /** @param {Values} values @param {(dragging: boolean) => void} drag called when somebody takes a slider, and lets it go */
  constructor(values, drag) {
    this.#values = values;
    let dragging = false;
    this.element.addEventListener("pointerdown", ({ target }) => {
      dragging = target instanceof HTMLInputElement && target.type === "range";
      if (dragging) drag(true);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      addEventListener(end, () => {
        if (!dragging) return;
        dragging = false;
        drag(false);
      });
    }
  }

  /** @param {string | null} run whose names the directions carry @param {number} count @param {boolean} raw */
  build(run, count, raw) {
    const held = this.#rows.findIndex(({ input }) => input === document.activeElement);
    this.#rows = Array.from({ length: count }, (_, k) => this.#row(k, run, raw));
    const note = count || !hasOwnNetworks() ? [] : [h("p", { class: "gan-mute" }, t("latent.notebook"))];
    this.element.replaceChildren(...note, ...this.#rows.map(({ element }) => element));
    this.element.classList.toggle("raw", raw);
    this.element.scrollTop = 0;
    if (held >= 0) this.#rows[Math.min(held, count - 1)]?.input.focus(); // the keys stay with the slider
    this.draw();
  }

  draw() {
    this.#rows.forEach((_, k) => this.#put(k));
  }

  /** @param {number} k */
  #put(k) {
    const value = this.#values.get(k), { input, number } = this.#rows[k], shown = Math.abs(value) < UNSEEN ? 0 : value;
    input.value = String(value);
    setLive(number, signed(shown, decimal(Math.abs(shown), 1)));
  }

  /** @param {number} k @param {string | null} run @param {boolean} raw */
  #row(k, run, raw) {
    const name = raw ? String(k + 1) : nameOf(run, k), reach = raw ? REACH.raw : REACH.directions;
    const number = h("b", { class: "w4" });
    const label = h("span", { class: "gan-name", title: raw ? null : t("latent.rename") }, name);
    const input = h("input", { type: "range", min: -reach, max: reach, step: 0.05, title: t("latent.reset_one"),
      "aria-label": t(raw ? "latent.coordinate" : "latent.slider", { n: name }),
      "aria-keyshortcuts": raw ? "Delete" : "Delete F2" });
    const set = (/** @type {number} */ value, /** @type {Event} */ event) => {
      this.#values.set(k, value, event.timeStamp);
      this.#put(k);
    };
    input.addEventListener("input", (event) => set(Number(input.value), event));
    input.addEventListener("dblclick", (event) => set(0, event));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Delete") set(0, event);
      else if (event.key === "F2" && !raw) rename(run, k, label, input);
    });
    if (!raw) label.addEventListener("dblclick", () => rename(run, k, label, input));
    return { input, number, element: h("div", { class: "gan-slider" }, label, input, number) };
  }
}

/** @param {string | null} run @param {number} k */
const nameOf = (run, k) => recall(`gan.name.${run}.${k}`) || String(k + 1);

/** @param {string | null} run @param {number} k @param {HTMLElement} label @param {HTMLElement} slider */
function rename(run, k, label, slider) {
  const box = h("input", { type: "text", maxlength: 24, "aria-label": t("latent.rename_ask") });
  let ended = false; // taking the box away is a blur as well
  const done = (/** @type {boolean} */ keep) => {
    if (ended) return;
    ended = true;
    if (keep) remember(`gan.name.${run}.${k}`, box.value.trim() || null);
    box.replaceWith(label);
    setText(label, nameOf(run, k));
    slider.setAttribute("aria-label", t("latent.slider", { n: nameOf(run, k) }));
  };
  box.value = nameOf(run, k);
  box.addEventListener("blur", () => done(true));
  box.addEventListener("keydown", ({ key }) => {
    if (key !== "Enter" && key !== "Escape") return;
    done(key === "Enter");
    slider.focus();
  });
  label.replaceWith(box);
  box.select();
}
