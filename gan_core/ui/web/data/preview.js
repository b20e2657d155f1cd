// What comes of the choice of data: progress, 16 pictures or the points, what was left out, or one sentence.
import { h, pixelRatio, setText, smallButton, swapImage } from "../dom.js";
import { wholeMultiple } from "../lib/zoom.js";
import { drawRealStrip } from "../real.js";
import { on } from "../store.js";
import { t } from "../words.js";
import { classesOf, leftOutOf, decisionsOf, sizeOf } from "./facts.js";
import { drawList, isReady, loadSets } from "./list.js";
import { Panel } from "./panel.js";
import { currentAnswer, formValues, hasChanged, isBusy, send } from "./request.js";
import { Work } from "./work.js";

const HOLD_MS = 350; // so long the old picture stays: what is quicker shows no progress at all
const STRIP = 224, PLANE = 108, BORDERS = 4; // CSS pixels
const MOST_NAMES = 8; // of classes in the sentence; all of them are in its title
const SENTENCES = /** @type {Record<string, string>} */ ({ cancelled: "data.cancelled", away: "data.away" });

/** @typedef {import("./request.js").Answer} Answer */
/** @typedef {Answer & { about: Stream.About, preview: string | Stream.RealPoints }} ReadyAnswer */

/** @type {import("../mount.js").Part} */
export function preview(root, signal) {
  const specs = JSON.parse(root.dataset.look ?? "{}"), panel = new Panel(specs), view = new Preview();
  document.documentElement.style.setProperty("--drop", JSON.stringify(t("data.drop"))); // read by data.css
  root.append(...view.elements, panel.door);
  async function list() {
    await loadSets();
    drawList(specs.groups);
  }
  on("preview", () => {
    if (currentAnswer().state === "ready" && !isReady(formValues().kind)) list();
    view.draw(currentAnswer());
  }, signal);
  on("form", () => {
    view.drawAge();
    panel.draw();
    panel.reveal();
  }, signal);
  on("page", () => { panel.draw(); drawList(specs.groups); }, signal);
  on("colours", () => view.recolour(), signal);
  view.draw(currentAnswer());
  panel.draw();
  list();
}

class Preview {
  #canvas = h("canvas", { role: "img", "aria-label": t("data.alt_points"), hidden: true });
  #image = h("img", { alt: "", hidden: true, draggable: "false" });
  #work = new Work();
  #hint = h("p", { class: "gan-empty", hidden: true });
  #again = smallButton(t("data.again"), () => { send(); }, { hidden: true });
  #box = h("div", { class: "gan-lookbox", id: "data-preview" }, this.#image, this.#canvas, this.#work.element, this.#hint);
  #sentence = h("p", { class: "gan-look-facts", role: "status", id: "data-facts" });
  #misfit = h("p", { class: "gan-misfit", role: "alert", id: "data-misfit", hidden: true });
  elements = [this.#box, this.#sentence, this.#again, this.#misfit];
  /** @type {ReadyAnswer | null} */
  #answer = null;
  /** @type {Answer | null} */
  #drawn = null; // what picture and sentence say
  #hold = 0;

  constructor() {
    new ResizeObserver(() => this.#resize()).observe(this.#box);
  }

  /** Picture and sentence of another choice say nothing of this one: until its own are here it is faint, and they are hidden. */
  drawAge() {
    const old = hasChanged() || this.#drawn !== currentAnswer();
    this.#box.classList.toggle("old", old);
    this.#sentence.classList.toggle("old", old);
  }

  /** @param {Answer} answer */
  draw(answer) {
    const { state } = answer;
    this.#box.dataset.state = state;
    this.#misfit.hidden = !answer.misfit;
    setText(this.#misfit, answer.misfit || "");
    if (isBusy(answer)) this.#drawWork(answer);
    else {
      clearTimeout(this.#hold);
      this.#hold = 0;
      if (state === "ready") this.#drawReady(/** @type {ReadyAnswer} */ (answer));
      else this.#drawNone(answer);
    }
    this.drawAge();
  }

  /** @param {Answer} answer one without data to show */
  #drawNone(answer) {
    const { state } = answer;
    this.#answer = null;
    this.#drawn = answer;
    const open = state === "open", sentence = answer.sentence || "";
    if (open) setText(this.#hint, sentence);
    if (open) this.#only(this.#hint);
    else this.#only(["refused", "cancelled"].includes(state) ? this.#again : null);
    this.#say(open ? "" : state === "refused" ? sentence : t(SENTENCES[state] ?? "data.begins"));
  }

  recolour() {
    if (typeof this.#answer?.preview === "object") drawRealStrip(this.#canvas, this.#answer.preview, PLANE);
  }

  /** @param {Answer} answer */
  #drawWork(answer) {
    if (this.#work.element.hidden) {
      this.#hold ||= setTimeout(() => {
        this.#hold = 0;
        if (!isBusy(currentAnswer())) return;
        this.#only(this.#work.element);
        this.#say("");
      }, HOLD_MS);
    }
    this.#work.draw(answer);
  }

  /** @param {ReadyAnswer} answer */
  async #drawReady(answer) {
    const { preview: source, about } = answer;
    this.#answer = answer;
    if (typeof source === "object") {
      drawRealStrip(this.#canvas, source, PLANE);
      this.#only(this.#canvas);
    } else {
      this.#image = await swapImage(this.#image, source, t("data.alt"));
      if (this.#answer !== answer || currentAnswer() !== answer) return; // something else is asked for by now
      this.#only(this.#image);
      this.#resize();
    }
    const said = (/** @type {number} */ most) =>
      [sizeOf(about), classesOf(about, most), decisionsOf(about), leftOutOf(about)].filter(Boolean).join(". ");
    this.#say(said(MOST_NAMES), true);
    this.#sentence.title = said(Infinity);
    this.#drawn = answer;
    this.drawAge();
  }

  /** @param {HTMLElement | null} shown */
  #only(shown) {
    for (const one of [this.#image, this.#canvas, this.#work.element, this.#hint, this.#again]) one.hidden = one !== shown;
  }

  /** @param {string} text @param {boolean} [real] whether it is about real data that are shown */
  #say(text, real = false) {
    this.#sentence.replaceChildren(...(real ? [h("b", { class: "r" }, t("samples.real")), " "] : []), text);
    this.#sentence.title = this.#sentence.textContent;
  }

  #resize() {
    // Few pictures are no larger than eight in a row are.
    const wide = this.#image.naturalWidth || STRIP, row = Math.max(wide, 8 * (this.#answer?.about.shape[2] || 0));
    const room = this.#box.clientWidth - BORDERS, height = this.#box.clientHeight - BORDERS;
    // The box keeps its height in a card of any width.
    const times = Math.min(fitted(room, row), fitted(height, this.#image.naturalHeight || height));
    this.#image.style.width = `${Math.min(times * wide, room)}px`;
    this.#image.style.height = "auto";
  }
}

/** CSS pixels for each pixel: a whole multiple where one fits. @param {number} room @param {number} native */
const fitted = (room, native) => Math.min(wholeMultiple(room, native, pixelRatio()), room) / native;
