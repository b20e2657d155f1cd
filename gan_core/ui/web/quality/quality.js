// The measures of the averaged generator over the steps: what leads, the other charts below it, and the newest numbers in words.
import { givenUpKey } from "../charts/given_up.js";
import { ChartStack } from "../charts/stack.js";
import { h, setLive, setText } from "../dom.js";
import { percent } from "../lib/numbers.js";
import { inForce, isIn, isSteered, store } from "../store.js";
import { number, short, t } from "../words.js";
import { qualityChart } from "./chart.js";
import {
  CHARTS, bestColumns, floorColumns, floorOf, lookOf, measures, newest, qualityColumns, writtenValue,
} from "./measures.js";

const SHARE = 0.05; // of the time, where a run says no other
const FEWEST = 20; // real pictures or points that are measured, as in evaluation/evaluator.py

export class Quality {
  #sentence = h("p", { class: "gan-told", "aria-live": "polite" });
  #room = h("p", { class: "gan-told-longest", "aria-hidden": "true" }); // unseen: no sentence moves the rest
  #focus = ""; // the measure that one points at
  /** @type {Record<string, { element: HTMLElement, value: HTMLElement }>} */
  #keys = {};
  #floor = h("b");
  #best = h("b");
  #floorKey = h("span", { class: "gan-guess gan-floor" }, h("i"), t("quality.floor"), " ", this.#floor);
  #bestKey = h("span", { class: "gan-bestkey" }, h("i"), t("quality.best"), " ", this.#best);
  #pastKey = givenUpKey();
  /** @type {Record<string, { title: HTMLElement | null, legend: HTMLElement }>} */
  #heads = {};
  #rest = h("div", { class: "gan-legend gan-rest" });
  #shape = ""; // which measures there are
  #stack;

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    this.#stack = new ChartStack(root, Object.keys(CHARTS), {
      prefix: "quality",
      make: qualityChart,
      draw: (charts) => this.#draw(charts),
      empty: emptySentence,
    }, signal);
    const charts = Object.entries(CHARTS).flatMap(([chart, { leads }]) => {
      const title = leads ? null : h("h2", { "data-chart": chart }, t(`quality.${chart}`));
      const legend = h("div", { class: "gan-legend", "data-chart": chart });
      this.#heads[chart] = { title, legend };
      return [...(title ? [title] : []), legend, this.#stack.boxes[chart]];
    });
    this.element = h("div", { id: "quality-curves", class: "gan-curves", "data-of": "quality" }, ...charts, this.#rest,
      h("div", { class: "gan-room gan-told-room" }, this.#room, this.#sentence));
    this.#drawNumbers();
  }

  /** There are new values. */
  ask() {
    this.#stack.ask();
  }

  /** @param {Record<string, import("../charts/stack.js").Chart>} charts */
  #draw(charts) {
    this.#drawNumbers();
    if (!Object.keys(charts).length) return;
    const data = qualityColumns(), givenUp = qualityColumns(true);
    for (const { source, floor, best, past } of Object.values(charts)) {
      source.data = data;
      past.data = givenUp;
      floor.data = floorColumns();
      best.data = bestColumns();
    }
  }

  #drawNumbers() {
    this.#drawKeys();
    for (const [name, { value }] of Object.entries(this.#keys)) setLive(value, writtenValue(name, newest(name)));
    const floor = floorOf(measures().first), { step: [step], value: [value] } = bestColumns();
    this.#pastKey.draw();
    this.#floorKey.hidden = floor === null;
    this.#bestKey.hidden = step === undefined;
    setLive(this.#floor, floor === null ? "" : short(floor));
    setLive(this.#best, step === undefined ? "" : t("quality.best_at", { value: short(value), step: number(step) }));
    this.#tell(this.#focus);
  }

  /** When other things are measured: another run, or its first measurement. */
  #drawKeys() {
    const { first, charts, names } = measures(), drawn = Object.values(charts).flat();
    const others = [...names].filter((name) => !drawn.includes(name)), shape = JSON.stringify([charts, others]);
    for (const [chart, { title }] of Object.entries(this.#heads)) {
      if (title) title.hidden = !charts[chart].length;
      this.#stack.boxes[chart].hidden = names.size > 0 && !charts[chart].length; // the place is kept until it is known
    }
    if (shape === this.#shape) return;
    if (this.#shape) this.#stack.build();
    this.#shape = shape;
    for (const [chart, { legend }] of Object.entries(this.#heads)) {
      const more = CHARTS[chart].leads && first ? [this.#floorKey, this.#bestKey, this.#pastKey.key] : [];
      legend.replaceChildren(...charts[chart].map((name) => this.#key(name)), ...more);
    }
    this.#rest.replaceChildren(...others.map((name) => this.#key(name)));
    const sentences = [...names].map((name) => sentenceOf(name, 0));
    setText(this.#room, sentences.sort((a, b) => b.length - a.length)[0] ?? "");
  }

  /**
   * A measure's name and number; its sentence is shown below while one points at it or reaches it by Tab.
   * @param {string} name
   */
  #key(name) {
    if (!this.#keys[name]) {
      const value = h("b"), { colour, dash } = lookOf(name);
      const look = { class: `gan-key gan-measure${dash.length ? " gan-dashed" : ""}`, style: `--colour: var(${colour})` };
      const element = h("button", { type: "button", ...look, "data-measure": name },
        h("i"), t(`measures.${name}`), " ", value);
      for (const event of ["pointerenter", "focus", "click"]) element.addEventListener(event, () => this.#tell(name));
      for (const event of ["pointerleave", "blur"]) element.addEventListener(event, () => this.#tell(""));
      this.#keys[name] = { element, value };
    }
    return this.#keys[name].element;
  }

  /** @param {string} focus name of the measure that one points at, "" for the headline */
  #tell(focus) {
    this.#focus = focus;
    const name = focus || measures().first, value = name ? newest(name) : NaN;
    setText(this.#sentence, name && Number.isFinite(value) ? sentenceOf(name, value) : "");
  }
}

/** What a measure is and how much of it there is. @param {string} name @param {number} value */
const sentenceOf = (name, value) =>
  t("quality.told", { name: t(`measures.${name}`), value: writtenValue(name, value), help: t(`measures.${name}.help`) });

function emptySentence() {
  if (store.quality.length) return "";
  const share = store.config ? inForce("measure_share") : 0;
  if (share === 0) return t("quality.none");
  if (!isSteered() || !isIn("starting", "running", "paused")) return t("quality.never");
  const { count = FEWEST } = store.about ?? {};
  return count < FEWEST ? t("quality.few", { n: FEWEST }) : t("quality.empty", { n: percent(share || SHARE) });
}
