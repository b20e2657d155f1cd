// Each fake above the real picture nearest to it, where a run learns few: the switch, what is said beside it, and what the worker
// found for the very grid on the page.
import { h, setAttribute, setLive } from "../dom.js";
import { recall, remember } from "../storage.js";
import { emit, on, store } from "../store.js";
import { number, t } from "../words.js";
import { frameAddress } from "./source.js";

/**
 * The nearest real ones of a grid, which were searched among `of`: a picture of them, 8 in a row, and for each fake its place
 * there and its distance, in median distances of a real one to its nearest other one.
 * @typedef {{ reals: HTMLImageElement, of: number, places: number[], distances: number[] }} Nearest
 * "none": the grid was kept without; "asked": not answered yet, or not wanted.
 * @typedef {Nearest | "none" | "failed" | "asked"} Found
 */

const COPY = 0.5; // below it the measure "Nearest" speaks of copies
const PLACES = 8; // in a row of the picture of the nearest

let shown = recall("gan.nearest") === "1";
const isOffered = () => Boolean(store.frame?.nearest);

/** @param {number} distance */
export const isCopy = (distance) => distance < COPY;

/** The switch, and beside it what is seen. Its words keep their room while they are not: nothing moves when it is pressed. */
export class NearestLine {
  #switch = h("button", { type: "button", id: "nearest-shown", class: "gan-box", title: t("nearest.help"), onclick: toggle },
    t("nearest.switch"));
  #reals = h("span");
  #copies = h("span");
  #room = h("span", { "aria-hidden": "true" }, t("nearest.copies", { n: 64, of: 64 })); // the longest that is said in its place
  #told = h("span", { class: "gan-caption", title: t("nearest.help") }, h("b", { class: "g" }, t("nearest.fake")), " ",
    h("b", { class: "r" }, this.#reals), " ",
    h("span", { class: "gan-said" }, this.#room, this.#copies));
  element = h("div", { class: "gan-nearest", hidden: true }, this.#switch, this.#told);
  /** @type {Found} */
  #found = "asked";
  #run = store.run;

  /** @param {AbortSignal} signal */
  constructor(signal) {
    on("snapshot", () => this.#begin(), signal);
    on("snapshot frame nearest-shown", () => this.#draw(), signal);
    on("nearest", (found) => { this.#found = found; this.#draw(); }, signal);
    this.#draw();
  }

  /** Of another run nothing is known yet. */
  #begin() {
    if (this.#run !== store.run) this.#found = "asked";
    this.#run = store.run;
  }

  #draw() {
    const found = this.#found, none = { distances: [], of: store.about?.count ?? 0 };
    const { distances, of } = typeof found === "string" ? none : found;
    this.element.hidden = !isOffered();
    setAttribute(this.#switch, "aria-pressed", String(shown));
    this.#told.classList.toggle("off", !shown);
    setLive(this.#reals, t("nearest.real", { of: number(of) }));
    setLive(this.#copies, typeof found === "string" ? t(`nearest.${found}`)
      : t("nearest.copies", { n: distances.filter(isCopy).length, of: distances.length }));
  }
}

function toggle() {
  shown = !shown;
  remember("gan.nearest", shown ? "1" : "0");
  emit("nearest-shown");
}

/**
 * What was kept with a grid of so many fakes; "asked" where nothing is wanted. It never throws: the fakes are shown in any case.
 * @param {import("./samples.js").FrameRequest} picture
 * @param {number} count
 * @returns {Promise<Found>}
 */
export async function fetchNearest(picture, count) {
  if (!shown || !isOffered()) return "asked";
  try {
    const reply = await fetch(frameAddress(picture, { as: "nearest-places" }));
    if (!reply.ok) return "failed";
    const { reals: of, places, distances } = await reply.json(), reals = new Image();
    if (!places.length) return "none";
    if (places.length !== count || distances.length !== count) return "failed"; // of another grid
    reals.src = frameAddress({ ...picture, of: "average" }, { as: "nearest" }); // one picture holds those of both generators
    await reals.decode();
    return { reals, of, places, distances };
  } catch { // a torn connection, or a damaged picture
    return "failed";
  }
}

/**
 * A fake above its nearest real one, with a line between them.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} fakes a grid @param {number} columns of it @param {number} index of the fake in it
 * @param {Nearest} nearest
 */
export function drawPair(canvas, fakes, columns, index, { reals, places }) {
  const side = Math.round(fakes.naturalWidth / columns), context = canvas.getContext("2d"), place = places[index];
  if (!context) return;
  [canvas.width, canvas.height] = [side, 2 * side + 1];
  const from = (/** @type {number} */ at, /** @type {number} */ inRow) => /** @type {const} */ (
    [at % inRow * side, Math.floor(at / inRow) * side, side, side]);
  context.drawImage(fakes, ...from(index, columns), 0, 0, side, side);
  context.drawImage(reals, ...from(place, PLACES), 0, side + 1, side, side);
}
