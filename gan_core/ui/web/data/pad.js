// The pad on which points are drawn by hand: strokes, undo, clear. The server keeps the points, their name goes into the form,
// and what becomes of them is shown where all data are.
import { control } from "../control.js";
import { fillBox, h, pixelRatio, setLive, smallButton, token } from "../dom.js";
import { along } from "../lib/strokes.js";
import { contextOf } from "../plane/canvas.js";
import { keepOnce, takeOnce } from "../storage.js";
import { on } from "../store.js";
import { number, t } from "../words.js";
import { formValues } from "./request.js";

const SETTLE_MS = 350; // after the hand rests
const MOST = 3000; // points in all

/** @typedef {[x: number, y: number][]} Stroke points of the unit square, y upwards */

const KEPT = "gan.strokes"; // over a change of language

/** @type {Stroke[]} */
let strokes = takeOnce(KEPT) ?? [];
export const keepStrokes = () => keepOnce(KEPT, strokes);
const points = () => strokes.flat();

/** @type {import("../mount.js").Part} */
export function pad(root, signal) {
  const view = new Pad();
  root.append(...view.elements);
  on("colours", () => view.draw(), signal);
  on("form", () => view.keepUnknown(), signal);
  view.draw();
}

class Pad {
  #canvas = h("canvas", { class: "gan-pad", id: "data-pad", role: "img", "aria-label": t("data.pad") });
  #count = h("span", { class: "gan-mute", role: "status" });
  #undo = smallButton(t("data.undo"), () => this.#change(strokes.slice(0, -1)));
  #clear = smallButton(t("data.clear"), () => this.#change([]));
  elements = [this.#canvas, h("div", { class: "gan-pad-side" },
    h("span", { class: "gan-mute" }, t("data.pad_hint")), this.#undo, this.#clear, this.#count)];
  /** @type {Stroke | null} */
  #stroke = null;
  #timer = 0;
  #round = 0;

  constructor() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        if (!this.#stroke) return;
        this.#stroke = null;
        this.#change(strokes);
      });
    }
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  draw() {
    const canvas = this.#canvas, side = canvas.clientWidth, pixels = Math.round(side * pixelRatio());
    if (!side) return;
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const context = contextOf(canvas), size = Math.max(2.5, side / 60), drawn = points();
    context.setTransform(canvas.width / side, 0, 0, canvas.height / side, 0, 0);
    context.clearRect(0, 0, side, side);
    context.fillStyle = token("--real");
    for (const [x, y] of drawn) context.fillRect(x * side - size / 2, (1 - y) * side - size / 2, size, size);
    this.#undo.disabled = this.#clear.disabled = !strokes.length;
    const sentence = drawn.length < MOST ? "data.pad_points" : "data.pad_full";
    setLive(this.#count, drawn.length ? t(sentence, { n: number(drawn.length) }) : "");
  }

  /** Keep what is drawn here where the form has no name for it: another language may come before it was kept. */
  keepUnknown() {
    if (strokes.length && !this.#stroke && formValues().kind === "drawn" && !formValues().drawing) this.#change(strokes);
  }

  /** @param {Stroke[]} next */
  #change(next) {
    strokes = next;
    this.draw();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.#keep(); }, SETTLE_MS);
  }

  async #keep() {
    const mine = ++this.#round; // the newest drawing counts, whichever answer comes last
    const drawn = points().map(([x, y]) => [Number(x.toFixed(4)), Number(y.toFixed(4))]);
    const kept = await control("keep-drawing", { points: drawn });
    if (mine === this.#round) fillBox("data-drawn", kept?.name ?? "");
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (event.button > 0 || this.#stroke || points().length >= MOST) return;
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    clearTimeout(this.#timer);
    this.#stroke = [this.#at(event)];
    strokes.push(this.#stroke);
    this.draw();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const stroke = this.#stroke;
    if (!stroke) return;
    const coalesced = event.getCoalescedEvents?.() ?? [];
    for (const one of coalesced.length ? coalesced : [event]) {
      stroke.push(...along(stroke[stroke.length - 1], this.#at(one), MOST - points().length));
    }
    this.draw();
  }

  /** @param {PointerEvent} event @returns {[x: number, y: number]} */
  #at(event) {
    const box = this.#canvas.getBoundingClientRect(), inside = (/** @type {number} */ v) => Math.min(1, Math.max(0, v));
    return [inside((event.clientX - box.left) / box.width), inside(1 - (event.clientY - box.top) / box.height)];
  }
}
