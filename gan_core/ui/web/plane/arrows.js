// Layer: arrows, where the discriminator pushes each fake, and in a corner what the length of one means.
import { t } from "../words.js";
import { write } from "./canvas.js";

const HEAD = 4, SHORTEST = 2; // CSS pixels
export const FULL = 1 / 8; // of the side: the longest arrow; see FULL_ARROW in gan_core/evaluation/plane.py
const CORNER = 9, TEXT = 12; // CSS pixels

/**
 * `full`: CSS pixels of the longest arrow, Infinity where each frame has a scale of its own.
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} fake x, y, x, y ...
 * @param {number[]} push dx, dy of each
 * @param {(x: number) => number} x
 * @param {(y: number) => number} y
 * @param {number} scale CSS pixels for each unit
 * @param {number} full
 * @param {import("./stage.js").Palette} palette
 */
export function drawArrows(context, fake, push, x, y, scale, full, { dis, card }) {
  context.beginPath();
  for (let i = 0; i < push.length; i += 2) {
    const dx = push[i] * scale, dy = -push[i + 1] * scale;
    const length = Math.hypot(dx, dy), px = x(fake[i]), py = y(fake[i + 1]);
    if (length < SHORTEST) continue;
    trace(context, px, py, dx, dy);
    // As long as any may be: a second head says that it would be longer.
    if (length >= 0.995 * full) trace(context, px, py, dx * (1 - 3 / length), dy * (1 - 3 / length));
  }
  ink(context, dis, card);
}

/**
 * One arrow of full length with its meaning: along it the logit rises by 1, or by more where arrows would be longer.
 * @param {CanvasRenderingContext2D} context
 * @param {number} side
 * @param {import("./stage.js").Palette} palette
 */
export function drawArrowKey(context, side, { dis, card, ink: colour, font }) {
  const length = FULL * side, y = side - CORNER;
  context.beginPath();
  trace(context, CORNER, y, length, 0);
  ink(context, dis, card);
  write(context, t("plane.arrow_key"), CORNER + length + 5, y, { font: `${TEXT}px ${font}`, halo: card, colour, align: "left" });
}

/** @param {CanvasRenderingContext2D} context @param {number} px @param {number} py @param {number} dx @param {number} dy */
function trace(context, px, py, dx, dy) {
  const length = Math.hypot(dx, dy), tipX = px + dx, tipY = py + dy, ux = dx / length, uy = dy / length;
  const barb = Math.min(HEAD, length / 2);
  context.moveTo(px, py);
  context.lineTo(tipX, tipY);
  context.moveTo(tipX - barb * (ux + 0.6 * uy), tipY - barb * (uy - 0.6 * ux));
  context.lineTo(tipX, tipY);
  context.lineTo(tipX - barb * (ux - 0.6 * uy), tipY - barb * (uy + 0.6 * ux));
}

/** @param {CanvasRenderingContext2D} context @param {string} dis @param {string} card */
function ink(context, dis, card) {
  Object.assign(context, { lineWidth: 2.8, strokeStyle: card, lineJoin: "round", lineCap: "round", globalAlpha: 0.7 });
  context.stroke();
  Object.assign(context, { lineWidth: 1.2, strokeStyle: dis, globalAlpha: 1 });
  context.stroke();
}
