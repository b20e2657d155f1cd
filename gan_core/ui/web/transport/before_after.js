// What "Back to the best" would change, beside the question: the same z drawn at the best state and at the newest one.
import { h, token } from "../dom.js";
import { hasBoth } from "../generator.js";
import { projection } from "../lib/plane.js";
import { sized } from "../plane/canvas.js";
import { drawFakes } from "../plane/fakes.js";
import { drawReal } from "../plane/real.js";
import { measuredAt, writtenValue } from "../quality/measures.js";
import { fetchPoints, frameAddress, gridInWords } from "../samples/source.js";
import { store } from "../store.js";
import { number, t } from "../words.js";

const SIDE = 150; // CSS pixels of a plane
const REDRAWN = 4; // times, after a picture was gone

/** Two pictures by the average, and two by the generator as it is where both were kept. @param {Stream.Best} best */
export function beforeAfter(best) {
  const box = h("div", { class: "gan-before-after" });
  /** @type {Set<number>} */
  const gone = new Set();
  const draw = () => {
    const columns = compared(best, gone, (seq) => {
      if (gone.has(seq) || gone.size === REDRAWN) return;
      gone.add(seq);
      draw();
    });
    if (columns) box.replaceChildren(...columns);
    return columns;
  };
  return draw() && box;
}

/**
 * Its two columns; null where nothing has been kept since the best. A run that trains thins its frames: `missing` is told of one
 * that is gone by now.
 * @param {Stream.Best} best
 * @param {Set<number>} gone
 * @param {(seq: number) => void} missing
 */
function compared(best, gone, missing) {
  const newest = store.frame && { seq: store.frame.seq, step: store.frame.step };
  if (!newest || newest.step <= best.step) return null; // nothing has been kept since the best
  const then = closest(best.step, new Set([...gone, newest.seq]));
  if (!then) return null;
  const at = (/** @type {number} */ step) => t("samples.at_step", { step: number(step) });
  const title = (/** @type {string} */ word, /** @type {number} */ step) =>
    h("p", {}, h("b", {}, word), ` \u00b7 ${at(step)}`, h("br"), measuredIn(best, step, at));
  const shown = (/** @type {Stream.Kept} */ frame, /** @type {string} */ of) => h("figure", {}, picture(frame, of, missing),
    h("figcaption", {}, hasBoth() ? `${t(`generator.${of}`)} \u00b7 ${at(frame.step)}` : at(frame.step)));
  const column = (/** @type {Stream.Kept} */ frame, /** @type {HTMLElement} */ head) =>
    h("div", {}, head, h("div", { class: "gan-pair" },
      ...(hasBoth() ? ["average", "now"] : ["average"]).map((of) => shown(frame, of))));
  return [column(then, title(t("quality.best"), best.step)), column(newest, title(t("dialog.newest"), newest.step))];
}

/**
 * What was measured at a step, or last before it, with its own step; "" where nothing has been since the best.
 * @param {Stream.Best} best @param {number} step @param {(step: number) => string} at
 */
function measuredIn({ name, step: best }, step, at) {
  const measured = measuredAt(name, step);
  if (!measured || (measured.step === best && step !== best)) return "";
  const value = `${t(`measures.${name}`)} ${writtenValue(name, measured.value)}`;
  return measured.step === step ? value : `${value} (${at(measured.step)})`;
}

/**
 * Of the other kept frames the nearest to a step: older ones stand further apart.
 * @param {number} step
 * @param {Set<number>} but
 */
function closest(step, but) {
  const distance = (/** @type {Stream.Kept} */ frame) => Math.abs(frame.step - step);
  return store.history.filter(({ seq }) => !but.has(seq)).sort((a, b) => distance(a) - distance(b)).at(0);
}

/** @param {Stream.Kept} frame @param {string} of @param {(seq: number) => void} missing */
function picture({ seq, step }, of, missing) {
  const src = frameAddress({ run: store.run, seq, of });
  if (store.data !== "points") {
    const { rows = 8, cols = 8 } = store.frame ?? {}, image = h("img", { alt: gridInWords(rows * cols, of, step), src });
    image.onerror = () => { // thinned away meanwhile, or older than the second generator
      image.removeAttribute("src");
      if (image.isConnected) missing(seq);
    };
    return image;
  }
  const canvas = h("canvas", { role: "img", "aria-label": t("plane.alt", { step: number(step) }) });
  drawPlane(canvas, src, of);
  return canvas;
}

/** @param {HTMLCanvasElement} canvas @param {string} src @param {string} of */
async function drawPlane(canvas, src, of) {
  const frame = await fetchPoints(src).catch(() => null), context = sized(canvas, SIDE);
  if (!frame) return; // thinned away meanwhile
  const fake = (of === "now" && frame.now ? frame.now : frame).fake, [x, y] = projection(frame.view, SIDE);
  if (store.real && typeof store.real === "object") drawReal(context, { ...store.real, view: frame.view }, SIDE, token("--real"));
  const palette = { gen: token("--gen"), card: token("--card") };
  drawFakes(context, fake.flat(), x, y, 2, /** @type {import("../plane/stage.js").Palette} */ (palette));
}
