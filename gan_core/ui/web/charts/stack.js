// Charts one above the other, while there is something to draw and a place to draw it: built when the place is seen, built again
// when its height, its letters or the colours change, drawn at most four times a second.
import { h, setText, token } from "../dom.js";
import { on, store } from "../store.js";
import { t } from "../words.js";
import { draw, loadBokeh, model } from "./bokeh.js";
import { addMarks, marksData } from "./marks.js";

const REDRAW_MS = 250; // the machine that draws is often the machine that trains
const SETTLE_MS = 150; // after the last change of a height
const LOWEST = 90, SPARE = 8; // CSS pixels: of a chart, and below it that are not worth building it again; above its box none are

/** @typedef {{ height: number, letters: number }} Size of a chart and of its letters, in CSS pixels */
/**
 * The figure `p` with its sources; `size` and `version` of the stack when it was built.
 * @typedef {{ p: any, source: any, marks?: any, moment?: any, size?: Size, version?: number, [more: string]: any }} Chart
 */
/**
 * @typedef {object} Recipe
 * @property {string} prefix of the words
 * @property {(kind: string, size: Size) => Chart} make
 * @property {(charts: Record<string, Chart>) => void} draw puts the data in
 * @property {() => string} empty the sentence in place of the charts, or ""
 */

export class ChartStack {
  /** @type {Record<string, Chart>} by kind, those that stand */
  charts = {};
  /** @type {Record<string, HTMLElement>} their places, by kind */
  boxes = {};
  #root;
  #kinds;
  #recipe;
  /** @type {Record<string, HTMLElement>} */
  #plots = {};
  /** @type {Record<string, HTMLElement>} */
  #notes = {};
  #loaded = false;
  #version = 0; // older charts show what no longer holds
  #builds = 0;
  #due = 0;
  #drawnAt = 0;

  /** @param {HTMLElement} root @param {string[]} kinds @param {Recipe} recipe @param {AbortSignal} signal */
  constructor(root, kinds, recipe, signal) {
    this.#root = root;
    this.#kinds = kinds;
    this.#recipe = recipe;
    for (const kind of kinds) {
      this.#notes[kind] = h("p", { class: "gan-empty" }, t("curves.loading"));
      this.#plots[kind] = this.#place(kind);
      this.boxes[kind] = h("div", { class: "gan-plotbox", "data-chart": kind }, this.#plots[kind], this.#notes[kind]);
    }
    this.#watchSizes();
    on("snapshot colours", () => { this.build(); }, signal);
    on("marks moment", () => this.ask(), signal);
    requestAnimationFrame(() => setTimeout(() => { this.#begin(); }, 50)); // the page first
  }

  /** Draw soon. */
  ask() {
    if (this.#due) return;
    const wait = Math.max(0, REDRAW_MS - (performance.now() - this.#drawnAt));
    this.#due = setTimeout(() => requestAnimationFrame(() => this.#draw()), wait);
  }

  /** All of them again; those that are not seen as soon as they are. */
  async build() {
    this.#version += 1;
    await this.#renew();
  }

  /** Those that are seen and are not as they should be. */
  async #renew() {
    const mine = ++this.#builds, outdated = this.#loaded ? this.#kinds.filter((kind) => this.#isOutdated(kind)) : [];
    if (!outdated.length) { this.ask(); return; }
    for (const kind of outdated) {
      const size = this.#sizeOf(kind), made = this.#recipe.make(kind, size), version = this.#version, fresh = this.#place(kind);
      const moment = model("Span", { location: null, dimension: "height", line_color: token("--ink"), line_width: 1.5 });
      made.p.add_layout(moment);
      const chart = { ...made, marks: addMarks(made.p), moment, size, version };
      this.#plots[kind].after(fresh); // the old chart stays until the new one stands
      await draw(chart.p, fresh);
      if (mine !== this.#builds) { fresh.remove(); return; }
      this.#plots[kind].remove();
      this.#plots[kind] = fresh;
      this.charts[kind] = chart;
    }
    this.#draw();
  }

  /** @param {string} kind */
  #isOutdated(kind) {
    const { height, letters } = this.#sizeOf(kind), { version, size } = this.charts[kind] ?? {};
    if (!this.boxes[kind].clientHeight) return false; // behind another face of the card
    const spare = height - (size?.height ?? 0);
    return version !== this.#version || size?.letters !== letters || spare < 0 || spare > SPARE;
  }

  async #begin() {
    try {
      await loadBokeh();
      this.#loaded = true;
      await this.build();
    } catch (error) {
      console.error(error);
      setText(this.#notes[this.#kinds[0]], t("curves.failed"));
    }
  }

  #draw() {
    this.#due = 0;
    if (!this.#root.isConnected) return;
    this.#drawnAt = performance.now();
    const sentence = this.#recipe.empty(), first = this.#kinds.find((kind) => this.boxes[kind].clientHeight);
    for (const kind of this.#kinds) {
      this.#notes[kind].hidden = this.#loaded && !sentence;
      if (this.#loaded) setText(this.#notes[kind], kind === first ? sentence : "");
    }
    this.#recipe.draw(this.charts);
    for (const chart of Object.values(this.charts)) {
      chart.marks.data = marksData();
      chart.moment.location = store.moment;
    }
  }

  /** Heights are the layout's; Bokeh follows the width by itself. */
  #watchSizes() {
    let timer = 0;
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(() => { this.#renew(); }, SETTLE_MS);
    });
    for (const box of Object.values(this.boxes)) observer.observe(box);
  }

  /** @param {string} kind @returns {Size} */
  #sizeOf(kind) {
    const box = this.boxes[kind];
    return { height: Math.max(LOWEST, Math.floor(box.clientHeight)), letters: parseFloat(getComputedStyle(box).fontSize) };
  }

  /** @param {string} kind */
  #place(kind) {
    return h("div", { class: "gan-plot", role: "img", "aria-label": t(`${this.#recipe.prefix}.${kind}_alt`) });
  }
}
