// Charts one above the other, while there is something to draw and a place to draw it: built when the place is seen, built again
// when its height or the colours change, drawn at most four times a second.
import { h, setText, token } from "../dom.js";
import { on, store } from "../store.js";
import { t } from "../words.js";
import { draw, loadBokeh, model } from "./bokeh.js";
import { addMarks, marksData } from "./marks.js";

const REDRAW_MS = 250; // the machine that draws is often the machine that trains
const SETTLE_MS = 150; // after the last change of a height
const LOWEST = 90, UNSEEN = 8; // CSS pixels: of a chart, and a change of height that is not worth building it again

/** @typedef {{ p: any, source: any, marks?: any, moment?: any, [more: string]: any }} Chart the figure `p` with its sources */
/**
 * @typedef {object} Recipe
 * @property {string} prefix of the words
 * @property {(kind: string, height: number) => Chart} make
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
  #stale = false; // to be built as soon as the place is seen
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
      this.boxes[kind] = h("div", { class: "gan-plotbox" }, this.#plots[kind], this.#notes[kind]);
    }
    this.#watchHeight();
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

  async build() {
    this.#stale = this.#loaded && !this.#height(this.#kinds[0]); // behind another face of the card
    if (!this.#loaded || this.#stale) { this.ask(); return; }
    const mine = ++this.#builds;
    /** @type {Record<string, Chart>} */
    const made = {};
    for (const kind of this.#kinds) {
      const chart = this.#recipe.make(kind, Math.max(LOWEST, this.#height(kind))), fresh = this.#place(kind);
      const moment = model("Span", { location: null, dimension: "height", line_color: token("--ink"), line_width: 1.5 });
      chart.p.add_layout(moment);
      made[kind] = { ...chart, marks: addMarks(chart.p), moment };
      this.#plots[kind].after(fresh); // the old chart stays until the new one stands
      await draw(chart.p, fresh);
      if (mine !== this.#builds) { fresh.remove(); return; }
      this.#plots[kind].remove();
      this.#plots[kind] = fresh;
    }
    this.charts = made;
    this.#draw();
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
    const sentence = this.#recipe.empty();
    this.#kinds.forEach((kind, i) => {
      this.#notes[kind].hidden = this.#loaded && !sentence;
      if (this.#loaded) setText(this.#notes[kind], i ? "" : sentence);
    });
    this.#recipe.draw(this.charts);
    for (const chart of Object.values(this.charts)) {
      chart.marks.data = marksData();
      chart.moment.location = store.moment;
    }
  }

  /** Heights are the layout's; Bokeh follows the width by itself. */
  #watchHeight() {
    const [first] = this.#kinds;
    let timer = 0;
    new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const height = this.#height(first), standing = this.charts[first]?.p.height ?? 0;
        if (height && (this.#stale || Math.abs(Math.max(LOWEST, height) - standing) > UNSEEN)) this.build();
      }, SETTLE_MS);
    }).observe(this.boxes[first]);
  }

  /** @param {string} kind */
  #height(kind) {
    return Math.floor(this.boxes[kind].clientHeight);
  }

  /** @param {string} kind */
  #place(kind) {
    return h("div", { class: "gan-plot", role: "img", "aria-label": t(`${this.#recipe.prefix}.${kind}_alt`) });
  }
}
