// The strip of real pictures, or of real points.
import { sizeOf } from "./data/facts.js";
import { h, pixelRatio, setText, swapImage, token } from "./dom.js";
import { zoom } from "./lib/zoom.js";
import { drawReal } from "./plane/real.js";
import { sized } from "./plane/canvas.js";
import { Cells } from "./samples/cells.js";
import { on, store } from "./store.js";
import { language, t } from "./words.js";

const NATIVE = { width: 224, height: 56 }; // pixels of eight cells by two, of 28 each
const PLANE = 108; // CSS pixels

/**
 * A small plane of real points alone.
 * @param {HTMLCanvasElement} canvas
 * @param {Stream.RealPoints} points
 * @param {number} side in CSS pixels
 */
export const drawRealStrip = (canvas, points, side) => drawReal(sized(canvas, side), points, side, token("--real"));

/** @type {import("./mount.js").Part} */
export function real(root, signal) {
  let image = h("img", { class: "gan-reals", alt: "", ...NATIVE, hidden: true, draggable: "false" });
  const empty = h("p", { class: "gan-empty" }, t("samples.real_empty"));
  const canvas = h("canvas", { class: "gan-reals points", role: "img", "aria-label": t("plane.real_alt"), hidden: true });
  const cells = new Cells("reals", signal);
  cells.shape(2, 8);
  const holder = h("div", { class: "gan-strip" }, h("div", { class: "gan-picture" }, image, cells.element), canvas, empty);
  const caption = h("span");
  root.append(holder, h("p", { class: "gan-caption" }, h("b", { class: "r" }, t("samples.real")), " ", caption));

  function describe() {
    const { about, dataset_label } = store;
    const values = about?.shape ? { name: dataset_label[language], size: sizeOf(about) } : null;
    setText(caption, values ? t("samples.real_data", values) : t("samples.real_caption"));
    caption.title = about?.names?.join(", ") ?? "";
  }
  function resize() {
    const times = zoom(holder.clientWidth - 4, image.naturalWidth || NATIVE.width, pixelRatio());
    root.style.setProperty("--wide", `${times * (image.naturalWidth || NATIVE.width)}px`);
    root.style.setProperty("--high", `${times * (image.naturalHeight || NATIVE.height)}px`);
  }
  /** @type {typeof store.real | ""} */
  let drawn = "";
  async function draw() {
    const source = store.real || "";
    if (source === drawn) return;
    drawn = source;
    const points = typeof source === "object";
    canvas.hidden = !points;
    root.classList.toggle("gan-beside", points);
    if (points || !source) image.hidden = true;
    empty.hidden = source !== "";
    if (points) drawRealStrip(canvas, source, PLANE);
    else if (source) {
      try { image = await swapImage(image, source, t("samples.real_alt")); resize(); } catch { drawn = ""; }
    }
  }
  new ResizeObserver(resize).observe(holder);
  on("snapshot frame", () => { describe(); draw(); }, signal);
  on("colours", () => { if (typeof store.real === "object" && store.real) drawRealStrip(canvas, store.real, PLANE); }, signal);
  describe();
  draw();
}
