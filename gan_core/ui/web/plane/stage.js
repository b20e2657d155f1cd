// The plane inside a holder: layers one over the other, gliding from frame to frame.
// Which frame that is, the newest or a past one, is decided in samples/.
import { h, pixelRatio, stacked, token } from "../dom.js";
import { blend, outside, projection } from "../lib/plane.js";
import { on, store } from "../store.js";
import { number, t } from "../words.js";
import { drawArrowKey, drawArrows } from "./arrows.js";
import { sized } from "./canvas.js";
import { drawFakes } from "./fakes.js";
import { drawGrid } from "./grid.js";
import { layerLegend } from "./legend.js";
import { drawOpinion, paintOpinion } from "./opinion.js";
import { drawOutside } from "./outside.js";
import { drawReal } from "./real.js";
import { drawRing } from "./ring.js";

const GLIDE_MS = 180; // from one frame to the next, which is 250 ms away at least
const GLIDE_EVERY_MS = 28; // between two drawings on the way
const CHEAP_MS = 5; // a drawing that takes longer does not glide: the machine that draws is often the machine that trains
const GAP = 12, BORDERS = 4, SMALLEST = 120; // CSS pixels
const NARROWEST = 142, WIDEST = 178; // CSS pixels, of the switches beside the plane
const still = matchMedia("(prefers-reduced-motion: reduce)");

const palette = () =>
  ({ real: token("--real"), gen: token("--gen"), dis: token("--dis"), card: token("--card"), ink: token("--ink"),
    font: getComputedStyle(document.body).fontFamily });
/** @typedef {ReturnType<typeof palette>} Palette */
/** @typedef {{ fake: number[], push: number[], warp: number[] }} Coordinates of a frame, flat */
/** @typedef {{ step: number, run: string | null, live: boolean }} Origin of a frame */

export class Stage {
  #holder;
  #canvas = h("canvas", { class: "gan-points", role: "img" });
  #map = document.createElement("canvas");
  #reals = document.createElement("canvas");
  #realsKey = "";
  #legend = layerLegend(() => this.#ask());
  #palette = palette();
  #side = 0;
  /** @type {Stream.Points | null} */
  #frame = null;
  /** @type {Partial<Origin>} */
  #origin = {};
  /** @type {Coordinates | null} where the glide began */
  #from = null;
  /** @type {Coordinates} */
  #to = { fake: [], push: [], warp: [] };
  /** @type {Coordinates | null} */
  #current = null;
  #outside = outside([], [0, 1, 0, 1]);
  /** @type {{ run: string, point: number[] } | null} what the slider bank drives */
  #driven = null;
  #due = 0;
  #began = 0;
  #drawnAt = 0;
  #cost = 0; // ms of a drawing, averaged

  /** @param {HTMLElement} holder @param {AbortSignal} signal */
  constructor(holder, signal) {
    this.#holder = holder;
    this.element = h("div", { class: "gan-plane", hidden: true }, this.#canvas, this.#legend.element);
    holder.append(this.element);
    new ResizeObserver(() => this.#resize()).observe(holder);
    on("colours", () => {
      this.#palette = palette();
      if (this.#frame) paintOpinion(this.#map, this.#frame.heat, this.#palette.dis);
      this.#ask();
    }, signal);
    on("driven", (driven) => { this.#driven = driven; this.#ask(); }, signal);
  }

  /** @param {Stream.Points} points @param {Origin} origin */
  show(points, origin) {
    const follows = origin.live && this.#origin.live && this.#origin.run === origin.run && !this.element.hidden;
    this.#from = follows && !still.matches && this.#cost < CHEAP_MS ? this.#current : null;
    this.#began = performance.now();
    this.#frame = points;
    this.#origin = origin;
    this.#to = { fake: points.fake.flat(), push: points.push.flat(), warp: points.warp.flat(2) };
    paintOpinion(this.#map, points.heat, this.#palette.dis);
    this.#outside = outside(this.#to.fake, points.view);
    const away = Object.entries(this.#outside).filter(([, count]) => count);
    const said = [t("plane.alt", { step: number(origin.step) }), ...(away.length ? [t("plane.outside", {
      places: away.map(([place, count]) => `${t(`plane.${place}`)} ${number(count)}`).join(", ") })] : [])];
    this.#canvas.setAttribute("aria-label", said.join(". "));
    this.#legend.explainArrows(points);
    const first = this.element.hidden;
    this.element.hidden = false;
    if (first) this.#resize(); else this.#ask();
  }

  hide() {
    this.element.hidden = true;
    this.#frame = this.#from = this.#current = null;
    this.#origin = {};
  }

  #resize() {
    const wide = this.#holder.clientWidth - BORDERS, { element } = this.#legend;
    const high = (stacked.matches ? 0.55 * innerHeight : this.#holder.clientHeight) - BORDERS;
    const below = getComputedStyle(this.element).flexDirection === "column"; // where the switches stand: plane.css
    const beside = Math.max(NARROWEST, Math.min(WIDEST, wide - high - GAP)); // the plane gets what it can use
    element.style.setProperty("--beside", `${beside}px`);
    const room = below ? Math.min(wide, stacked.matches ? high : high - element.offsetHeight - GAP)
      : Math.min(high, wide - beside - GAP);
    this.#side = Math.max(SMALLEST, Math.floor(room));
    this.#ask();
  }

  #ask() {
    if (!this.#due && this.#frame) this.#due = requestAnimationFrame((now) => this.#draw(now));
  }

  /** @param {number} now */
  #draw(now) {
    this.#due = 0;
    const frame = this.#frame, from = this.#from, to = this.#to;
    if (!frame || this.element.hidden || !this.#side || !this.element.isConnected) return;
    if (from && now - this.#drawnAt < GLIDE_EVERY_MS && now - this.#began < GLIDE_MS) { this.#ask(); return; }
    this.#drawnAt = now;
    const start = performance.now(), share = from ? Math.min(1, (now - this.#began) / GLIDE_MS) : 1;
    const between = (/** @type {keyof Coordinates} */ name) => blend(from?.[name], to[name], share * (2 - share));
    this.#current = { fake: between("fake"), push: between("push"), warp: between("warp") };
    this.#layers(frame, this.#current);
    this.#cost = 0.8 * this.#cost + 0.2 * (performance.now() - start);
    if (share < 1) this.#ask(); else this.#from = null;
  }

  /** @param {Stream.Points} frame @param {Coordinates} at */
  #layers(frame, at) {
    const side = this.#side, context = sized(this.#canvas, side), [x, y] = projection(frame.view, side);
    const { shown } = this.#legend, { real } = store, colours = this.#palette, driven = this.#driven, origin = this.#origin;
    if (shown.opinion) drawOpinion(context, this.#map, side);
    if (shown.grid) drawGrid(context, at.warp, frame.warp.length, x, y, colours.gen);
    if (shown.real && real && typeof real === "object") context.drawImage(this.#realLayer(real), 0, 0, side, side);
    const scale = side / (frame.view[1] - frame.view[0]), longest = side * (frame.longest_arrow ?? Infinity);
    if (shown.arrows) drawArrows(context, at.fake, at.push, { x, y, scale, side, longest }, colours);
    if (shown.fakes) drawFakes(context, at.fake, x, y, Math.max(1.8, side / 190), colours);
    if (shown.arrows) drawArrowKey(context, frame, side, colours);
    if (shown.fakes) drawOutside(context, this.#outside, side, colours);
    if (!driven || !origin.live || driven.run !== origin.run) return;
    drawRing(context, x(driven.point[0]), y(driven.point[1]), colours);
  }

  /** Real points never move: drawn once for each size, colour and run. @param {Stream.RealPoints} real */
  #realLayer(real) {
    const key = [this.#side, pixelRatio(), this.#palette.real, store.run, real.points.length].join();
    if (key !== this.#realsKey) drawReal(sized(this.#reals, this.#side), real, this.#side, this.#palette.real);
    this.#realsKey = key;
    return this.#reals;
  }
}
