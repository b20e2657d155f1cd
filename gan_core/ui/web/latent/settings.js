// The line over the sliders: seed, class, truncation, and buttons.
import { h, setLive, setText } from "../dom.js";
import { seedOf } from "../lib/latent.js";
import { store } from "../store.js";
import { decimal, t } from "../words.js";

const LARGEST_RANDOM = 10000; // of a seed that *Surprise me* draws
const LONG_NAME = 2; // letters; longer ones need a wider list

/**
 * @typedef {object} Actions
 * @property {(seed: number) => void} plant
 * @property {(when: number) => void} changed class or truncation
 * @property {(when: number) => void} center
 * @property {() => void} toggleRaw
 */

export class BankSettings {
  #about = h("span", { class: "gan-mute" });
  #seed = h("input", { type: "number", "data-whole": true, min: 0, max: 2147483647, step: 1, id: "latent-seed",
    class: "gan-seed" });
  #class = h("select", { id: "latent-class", class: "gan-seed" });
  #classes = h("label", { class: "gan-row", hidden: true }, t("latent.class"), this.#class);
  #psi = h("input", { type: "range", min: 0, max: 1.5, step: 0.05, value: 1, id: "latent-psi" });
  #psiValue = h("b", { class: "w4" }, decimal(1, 2));
  #mode;
  #names = "";

  /** @param {Actions} actions */
  constructor(actions) {
    this.#mode = button("latent-mode", "latent.to_raw", () => actions.toggleRaw());
    const surprise = () => actions.plant(Math.floor(Math.random() * LARGEST_RANDOM));
    this.element = h("div", { class: "gan-row gan-head" },
      h("h2", {}, t("latent.title")), this.#about, h("span", { class: "gan-space" }),
      h("label", { class: "gan-row" }, t("latent.seed"), this.#seed), this.#classes,
      h("label", { class: "gan-row", title: t("latent.truncation_help") }, t("latent.truncation"), this.#psi, this.#psiValue),
      button("latent-surprise", "latent.surprise", surprise),
      button("latent-middle", "latent.middle", (event) => actions.center(event.timeStamp)), this.#mode);
    this.#seed.addEventListener("change", () => actions.plant(seedOf(this.#seed.value)));
    this.#class.addEventListener("change", (event) => actions.changed(event.timeStamp));
    this.#psi.addEventListener("input", (event) => {
      setLive(this.#psiValue, decimal(Number(this.#psi.value), 2));
      actions.changed(event.timeStamp);
    });
  }

  /** What a request for a picture says besides z. @returns {{ psi: string, label?: string }} */
  get options() {
    return { psi: this.#psi.value, ...(this.#classes.hidden ? {} : { label: this.#class.value }) };
  }

  /** @param {number} seed */
  showSeed(seed) {
    this.#seed.value = String(seed);
  }

  /**
   * z is that of a picture of the grid: no seed, its class, and no truncation.
   * @param {number} index @param {number} label
   */
  showFake(index, label) {
    this.#seed.value = "";
    this.#seed.placeholder = `#${index + 1}`;
    if (!this.#classes.hidden) this.#class.value = String(label);
    this.#psi.value = "1";
    setLive(this.#psiValue, decimal(1, 2));
  }

  /** @param {string} text */
  describe(text) {
    setText(this.#about, text);
  }

  /** @param {boolean} raw */
  showMode(raw) {
    setText(this.#mode, t(raw ? "latent.to_directions" : "latent.to_raw"));
  }

  /** Networks that are told a class are told which one. @param {number} count 0: they are told none */
  showClasses(count) {
    const known = store.about?.names || [], names = Array.from({ length: count }, (_, k) => known[k] || String(k));
    this.#classes.hidden = !count;
    if (this.#names === names.join()) return;
    this.#names = names.join();
    this.#class.classList.toggle("names", names.some((name) => name.length > LONG_NAME));
    this.#class.replaceChildren(...names.map((name, k) => h("option", { value: k }, name)));
  }

  /** The names of classes come with a run's first frame. */
  renameClasses() {
    if (!this.#classes.hidden) this.showClasses(this.#class.options.length);
  }
}

/** @param {string} id @param {string} word @param {(event: MouseEvent) => void} onclick */
const button = (id, word, onclick) => h("button", { type: "button", class: "gan-btn", id, onclick }, t(word));
