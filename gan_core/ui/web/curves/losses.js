// The losses, and how real the discriminator finds both kinds of pictures.
import { model } from "../charts/bokeh.js";
import { givenUpKey } from "../charts/given_up.js";
import { ChartStack } from "../charts/stack.js";
import { h, segments, setAttribute, setLive, setText } from "../dom.js";
import { recall, remember } from "../storage.js";
import { isIn, store } from "../store.js";
import { decimal, number, t } from "../words.js";
import { curveChart } from "./chart.js";
import { CHARTS, belowZero, curveColumns, givenUpColumns, newestValues } from "./columns.js";

const RECENT_STEPS = 100; // ten steps of one network are two pixels of a long run
const WEIGHT = 0.94; // of the past, in a curve's average, where the browser remembers no other

export class Losses {
  #hidden = new Set();
  #log = recall("gan.log") === "1";
  #last = 0; // steps that are shown; 0: all
  #weight = rememberedWeight();
  /** @type {Record<string, HTMLElement>} */
  #values = {};
  /** @type {ReturnType<typeof givenUpKey>[]} */
  #pastKeys = [];
  #stack;
  #belowZero;
  #why = h("p", { class: "gan-told", id: "loss-below-zero" });

  /**
   * @param {HTMLElement} root
   * @param {Record<string, Record<string, string>>} reasons by a loss's name: what each that can be negative is
   * @param {AbortSignal} signal
   */
  constructor(root, reasons, signal) {
    this.#belowZero = reasons;
    this.#stack = new ChartStack(root, Object.keys(CHARTS), {
      prefix: "curves",
      make: (kind, size) => {
        const [source, past] = [curveColumns, givenUpColumns] // a bokeh model lives in one document only
          .map((columns) => model("ColumnDataSource", { data: this.#columns(columns) }));
        return curveChart(kind, source, past, { log: this.#log, hidden: this.#hidden, size, last: this.#last });
      },
      draw: (charts) => {
        this.#drawNumbers();
        const data = Object.keys(charts).length ? this.#columns(curveColumns) : null;
        for (const { source } of Object.values(charts)) source.data = data;
        if (!store.given_up) return; // a chart is built again when something is given up
        const past = this.#columns(givenUpColumns);
        for (const chart of Object.values(charts)) chart.past.data = past;
      },
      empty: () => (store.series.step.length ? "" : t("curves.empty")),
    }, signal);
    this.settings = h("div", { class: "gan-row", "data-of": "losses" },
      this.#extent(),
      h("label", { class: "gan-row" }, t("curves.smooth"), this.#smoothSlider()),
      h("label", { class: "gan-row" }, this.#logBox(), t("curves.log")));
    this.element = h("div", { id: "loss-curves", class: "gan-curves", "data-of": "losses" },
      this.#legend("losses"), this.#stack.boxes.losses, this.#why,
      h("h2", { "data-chart": "beliefs" }, t("curves.beliefs")), this.#legend("beliefs"), this.#stack.boxes.beliefs);
    this.#drawNumbers();
  }

  /** There are new values. */
  ask() {
    this.#stack.ask();
  }

  /** @param {typeof curveColumns} columns */
  #columns(columns) {
    return columns(this.#weight, this.#log);
  }

  /** Which steps are shown; pressed again it undoes a zoom. */
  #extent() {
    const said = t("curves.extent", { n: RECENT_STEPS });
    const choice = segments(said, [["0", t("curves.all")], [String(RECENT_STEPS), t("curves.recent")]], "0", (last) => {
      this.#last = Number(last);
      this.#stack.build();
    });
    choice.title = said;
    return choice;
  }

  #smoothSlider() {
    const slider = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, "aria-label": t("curves.smooth") });
    slider.value = String(this.#weight);
    slider.addEventListener("input", () => {
      this.#weight = Number(slider.value);
      remember("gan.smooth", this.#weight);
      this.#stack.ask();
    });
    return slider;
  }

  #logBox() {
    const box = h("input", { type: "checkbox" });
    box.checked = this.#log;
    box.addEventListener("change", () => {
      this.#log = box.checked;
      remember("gan.log", this.#log ? "1" : "0");
      this.#stack.build();
    });
    return box;
  }

  /**
   * Names with their newest values, of the line while it trains, else of the step alone; each hides its lines.
   * @param {string} kind
   */
  #legend(kind) {
    const keys = Object.entries(CHARTS[kind]).map(([name, colour]) => {
      const value = this.#values[name] = h("b", { class: "w4" });
      const look = { class: "gan-key", style: `--colour: var(${colour})` };
      const key = h("button", { type: "button", ...look, "aria-pressed": "true", title: t("curves.hide") },
        h("i"), t(`curves.${name}`), " ", value);
      key.addEventListener("click", () => {
        const shown = this.#hidden.delete(name);
        if (!shown) this.#hidden.add(name);
        key.setAttribute("aria-pressed", String(shown));
        for (const line of this.#stack.charts[kind]?.lines[name] ?? []) line.visible = shown;
      });
      return key;
    });
    const guess = kind === "beliefs" ? h("span", { class: "gan-guess" }, h("i"), t("curves.guessing")) : null;
    const past = givenUpKey();
    this.#pastKeys.push(past);
    return h("div", { class: "gan-legend", "data-chart": kind }, ...keys, guess, past.key);
  }

  #drawNumbers() {
    const going = isIn("running");
    for (const [name, element] of Object.entries(this.#values)) {
      const chart = Object.keys(CHARTS).find((one) => name in CHARTS[one]) ?? "";
      const newest = newestValues(chart, name, this.#weight);
      setLive(element, newest ? decimal(going ? newest.line : newest.alone, 2) : "");
      const told = newest && t(going ? "curves.value_line" : "curves.value_alone",
        { line: decimal(newest.line, 2), alone: decimal(newest.alone, 2), step: number(newest.step) });
      const key = /** @type {Element} */ (element.parentElement);
      setAttribute(key, "title", [told, t("curves.hide")].filter(Boolean).join(" "));
    }
    for (const key of this.#pastKeys) key.draw();
    const said = belowZero(this.#belowZero[store.config?.loss], store.series.d_loss).map((why) => t(`curves.below_zero_${why}`));
    this.#why.hidden = !said.length;
    setText(this.#why, said.join(" "));
    setAttribute(this.#why, "title", said.join("\n")); // a low window shows one line of it
  }
}

function rememberedWeight() {
  const weight = Number(recall("gan.smooth") ?? WEIGHT);
  return weight >= 0 && weight < 1 ? weight : WEIGHT;
}
