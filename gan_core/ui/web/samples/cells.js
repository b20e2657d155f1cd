// The cells of a grid of pictures: on demand the discriminator's verdict under each, or its nearest real one, and a press that
// takes a fake's z to the sliders. Both were kept with the very picture, so they are of its step and its generator.
import { h, setAttribute } from "../dom.js";
import { percent } from "../lib/numbers.js";
import { on } from "../store.js";
import { decimal, t } from "../words.js";
import { drawPair, isCopy } from "./nearest.js";
import { frameAddress } from "./source.js";
import { verdictsShown } from "./verdicts.js";

/** @typedef {{ fakes: number[], reals: number[] }} Verdicts in percent real */

export class Cells {
  #kind;
  #pick;
  /** @type {HTMLElement[]} */
  #cells = [];
  #columns = 0;
  /** @type {Verdicts | null} of this picture none were kept, or none are wanted */
  #verdicts = null;
  /** @type {import("./nearest.js").Nearest | null} the same */
  #nearest = null;
  element = h("div", { class: "gan-cells" });

  /**
   * @param {"fakes" | "reals"} kind
   * @param {AbortSignal} signal
   * @param {((index: number) => void) | null} pick what a press does; null: nothing
   */
  constructor(kind, signal, pick = null) {
    this.#kind = kind;
    this.#pick = pick;
    if (pick) {
      setAttribute(this.element, "role", "group");
      setAttribute(this.element, "aria-label", t("verdicts.cells"));
      this.element.addEventListener("keydown", (event) => this.#move(event));
    }
    on("verdicts", (verdicts) => { this.#verdicts = verdicts; this.#draw(); }, signal);
  }

  /** @param {number} rows @param {number} columns */
  shape(rows, columns) {
    if (this.#cells.length === rows * columns && this.#columns === columns) return;
    this.#columns = columns;
    this.#cells = Array.from({ length: rows * columns }, (_, index) => this.#cell(index));
    this.element.style.setProperty("--columns", String(columns));
    this.element.replaceChildren(...this.#cells);
    this.#verdicts = this.#nearest = null;
    this.#draw();
  }

  /** Each fake with its nearest real one, where they were found, in place of the grid. @param {HTMLImageElement} grid
   * @param {import("./nearest.js").Found} found */
  pair(grid, found) {
    const nearest = this.#nearest = typeof found === "string" ? null : found;
    this.element.classList.toggle("paired", Boolean(nearest));
    setAttribute(this.element, "aria-label", t(nearest ? "nearest.cells" : "verdicts.cells"));
    this.#cells.forEach((cell, index) => {
      const old = cell.querySelector("canvas");
      if (!nearest) return old?.remove();
      const canvas = old ?? h("canvas");
      drawPair(canvas, grid, this.#columns, index, nearest);
      if (!old) cell.append(canvas);
    });
    this.#draw();
  }

  /** @param {number} index */
  #cell(index) {
    const pick = this.#pick, bar = h("i");
    if (!pick) return h("span", { class: "gan-cell" }, bar);
    return h("button", { type: "button", class: "gan-cell", tabindex: index ? -1 : 0, onclick: () => pick(index) }, bar);
  }

  /** One Tab stop for all of them; arrows lead from one to the next. @param {KeyboardEvent} event */
  #move(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    const from = this.#cells.indexOf(/** @type {HTMLElement} */ (event.target));
    const next = step && this.#cells[from + step];
    if (!next) return;
    event.preventDefault();
    for (const cell of this.#cells) cell.tabIndex = cell === next ? 0 : -1;
    next.focus();
  }

  #draw() {
    const numbers = this.#verdicts?.[this.#kind] ?? [];
    this.element.classList.toggle("judged", numbers.length > 0);
    this.#cells.forEach((cell, index) => {
      const n = numbers[index];
      cell.style.setProperty("--share", n === undefined ? "0" : String(n / 100));
      const distance = this.#nearest?.distances[index], copied = distance !== undefined && isCopy(distance);
      const apart = distance === undefined ? "" : t(copied ? "nearest.copy" : "nearest.apart", { n: decimal(distance, 2) });
      const said = [n === undefined ? "" : t("verdicts.one", { n: percent(n / 100) }), apart].filter(Boolean);
      const name = this.#pick ? t("verdicts.pick", { index: index + 1 }) : "";
      cell.classList.toggle("copy", copied);
      setAttribute(cell, "title", [...said, name].filter(Boolean).join(" \u00b7 ") || null);
      const label = [t("verdicts.name", { index: index + 1 }), ...said].join(", ");
      if (this.#pick) setAttribute(cell, "aria-label", label);
    });
  }
}

/**
 * The verdicts that a picture was kept with; null where there are none.
 * @param {import("./samples.js").FrameRequest} picture
 * @returns {Promise<Verdicts | null>}
 */
export async function fetchVerdicts(picture) {
  if (!verdictsShown()) return null;
  const reply = await fetch(frameAddress(picture, { as: "verdicts" })).catch(() => null);
  return reply?.ok ? reply.json() : null;
}
