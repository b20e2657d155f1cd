// The fakes with their history: a grid of pictures, or points on the plane.
import { progressWords } from "../data/progress.js";
import { h, pixelRatio, pressSegment, segments, setAttribute, setText, stacked, swapImage } from "../dom.js";
import { chooseGenerator, generatorShown, hasBoth } from "../generator.js";
import { Newest } from "../lib/newest.js";
import { zoom } from "../lib/zoom.js";
import { Stage } from "../plane/stage.js";
import { frameShown } from "../playground.js";
import { emit, isIn, on, store } from "../store.js";
import { t } from "../words.js";
import { Cells, fetchVerdicts } from "./cells.js";
import { ClassColumns } from "./columns.js";
import { Headline } from "./headline.js";
import { HistorySlider } from "./history.js";
import { fetchNearest, NearestLine } from "./nearest.js";
import { gridInWords, pointsOf, sourceOf } from "./source.js";

const NATIVE = 224; // 8 cells of 28 pixels
const AGAIN_MS = 1000; // after a picture that did not come
const BORDERS = 4, GAP = 2; // CSS pixels: of the picture, below the line of class names

/**
 * A frame to be shown. `of`: by which generator.
 * @typedef {Partial<Stream.Frame> & Stream.Kept & { run: string | null, live: boolean,
 *   of: import("../generator.js").GeneratorName }} FrameRequest
 */

/** @type {import("../mount.js").Part} */
export function samples(root, signal) {
  new Samples(root, signal);
}

class Samples {
  #root;
  #image = h("img", { class: "gan-fakes", alt: "", width: NATIVE, height: NATIVE, hidden: true, draggable: "false" });
  #empty = h("p", { class: "gan-empty" }, t("empty.server"));
  #columns = new ClassColumns();
  #cells;
  #holder;
  #caption = h("span");
  #captionLine = h("span", { class: "gan-caption" }, h("b", { class: "g" }, t("samples.fakes")), " ", this.#caption);
  #switch = segments(t("generator.label"), [["now", t("generator.now")], ["average", t("generator.average")]], "average",
    (name) => chooseGenerator(/** @type {import("../generator.js").GeneratorName} */ (name)));
  #history = new HistorySlider(() => this.#look());
  #stage;
  /** @type {Newest<FrameRequest>} */
  #wanted = new Newest((request) => this.#answer(request));
  /** @type {FrameRequest | null} */
  #current = null;

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    this.#root = root;
    this.#cells = new Cells("fakes", signal, (index) => emit("fake", index));
    this.#holder = h("div", { id: "sample-grid", class: "gan-holder" }, this.#columns.element,
      h("div", { class: "gan-picture" }, this.#image, this.#cells.element), this.#empty);
    this.#stage = new Stage(this.#holder, signal);
    this.#switch.id = "generator-shown";
    this.#switch.title = t("generator.help");
    root.append(h("div", { class: "gan-stage" }, this.#holder,
      h("div", { class: "gan-under" }, this.#captionLine, new Headline(signal).element, this.#switch, this.#history.element),
      new NearestLine(signal).element));
    new ResizeObserver(() => this.#resize()).observe(this.#holder);
    on("snapshot", () => this.#restart(), signal);
    on("status connection", () => this.#describe(), signal);
    on("frame", () => this.#update(), signal);
    on("live", () => this.#history.leavePast(), signal);
    on("generator verdicts-shown nearest-shown", () => { this.#describe(); this.#look(); }, signal);
    this.#update();
  }

  #restart() {
    this.#history.follow();
    if (!store.frame) {
      this.#image.hidden = true;
      this.#nameColumns(0);
      this.#stage.hide();
      this.#empty.hidden = false;
      this.#history.showStep(null);
    }
    this.#describe();
    this.#look();
  }

  #update() {
    this.#describe();
    this.#drawHistory();
    this.#showNewest();
  }

  #drawHistory() {
    this.#history.draw();
    this.#root.classList.toggle("gan-past", Boolean(this.#history.chosen));
  }

  #showNewest() {
    const { frame, run } = store, current = this.#current;
    if (this.#history.chosen || !frame) return;
    const of = generatorShown();
    if (current && current.live && current.seq === frame.seq && current.run === run && current.of === of) return;
    this.#wanted.ask({ ...frame, run, live: true, of });
  }

  /** Another moment, or another generator, is to be shown. */
  #look() {
    const { chosen } = this.#history, { run } = store, of = generatorShown();
    if (chosen) this.#wanted.ask({ ...chosen, run, live: false, of });
    else {
      this.#current = null;
      this.#showNewest();
    }
    this.#drawHistory();
  }

  /** @param {FrameRequest} request */
  async #answer(request) {
    try {
      await this.#draw(request);
    } catch { // a picture of the history that has been thinned away, or a torn connection: the old one stays
      if (!request.live && request.of === "now") this.#wanted.instead({ ...request, of: "average" }); // all that older runs kept
      else if (request.live) setTimeout(() => this.#showNewest(), AGAIN_MS);
      else store.history = store.history.filter(({ seq }) => seq !== request.seq);
    }
  }

  /** @param {FrameRequest} request */
  async #draw(request) {
    const { step, rows = 8, cols } = request, src = sourceOf(request), frame = await pointsOf(request);
    // Frames of points hold those of both generators, but for those of older runs.
    const of = frame && !frame.now ? "average" : request.of, points = frame && of === "now" ? { ...frame, ...frame.now } : frame;
    if (request.run !== store.run) return; // another run is shown by now
    if (points) this.#stage.show(points, request);
    else {
      const columns = cols || this.#columnCount();
      // They change with the picture.
      const [verdicts, nearest] = await Promise.all([fetchVerdicts(request), fetchNearest(request, rows * columns)]);
      this.#image = await swapImage(this.#image, src, gridInWords(rows * columns, of, step));
      this.#cells.shape(rows, columns);
      this.#cells.pair(this.#image, nearest);
      emit("verdicts", verdicts);
      emit("nearest", nearest);
      this.#resize();
      this.#stage.hide();
    }
    this.#image.hidden = Boolean(points);
    this.#nameColumns(points ? 0 : cols || this.#current?.cols || 0);
    this.#current = { ...request, of };
    this.#describe();
    this.#empty.hidden = true;
    if (request.live) frameShown();
    this.#history.showStep(step);
  }

  /** Of the grid on the page: the entries of the history do not say. */
  #columnCount() {
    return this.#current?.cols || 8;
  }

  /** @param {number} columns */
  #nameColumns(columns) {
    if (!this.#columns.show(columns)) return;
    this.#holder.classList.toggle("named", !this.#columns.element.hidden);
    this.#resize();
  }

  #resize() {
    const holder = this.#holder, wide = this.#image.naturalWidth || NATIVE, high = this.#image.naturalHeight || NATIVE;
    const names = this.#columns.element.offsetHeight; // 0 without them
    // Where the page is stacked it scrolls, and only the width is given.
    const room = (stacked.matches ? 0.55 * innerHeight : holder.clientHeight) - (names && names + GAP);
    const ratio = pixelRatio();
    const times = Math.min(zoom(holder.clientWidth - BORDERS, wide, ratio), zoom(room - BORDERS, high, ratio));
    this.#root.style.setProperty("--wide", `${times * wide}px`);
    this.#root.style.setProperty("--high", `${times * high}px`);
    this.#image.classList.toggle("gan-smooth", (times * ratio) % 1 !== 0); // uneven pixels would be seen
  }

  #describe() {
    const pictures = store.config?.condition === "class" ? "samples.caption_classes" : "samples.caption";
    const sentence = t(store.data === "points" ? "plane.caption" : pictures);
    setText(this.#caption, sentence);
    setAttribute(this.#captionLine, "title", sentence); // where there is no room for it
    this.#switch.hidden = !hasBoth();
    pressSegment(this.#switch, this.#current?.live === false ? this.#current.of : generatorShown());
    const progress = store.status?.state === "starting" && store.status.progress;
    if (progress) setText(this.#empty, progressWords(progress, " \u00b7 "));
    else if (!store.status && store.connection !== "open") setText(this.#empty, t("empty.server"));
    else setText(this.#empty, t(isIn("starting", "running") ? "samples.waiting" : "samples.empty"));
  }
}
