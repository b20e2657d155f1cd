// Layer: arrows, where the discriminator pushes each fake, and in a corner what the length of one means.
import { percent } from "../lib/numbers.js";
import { shareInside } from "../lib/plane.js";
import { decimal, t } from "../words.js";
import { write } from "./canvas.js";

const HEAD = 4, SHORTEST = 2; // CSS pixels
const CORNER = 9, TEXT = 12; // CSS pixels

/**
 * `longest`: CSS pixels of the longest arrow, Infinity where each frame has a scale of its own.
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} fake x, y, x, y ...
 * @param {number[]} push dx, dy of each
 * @param {{ x: (x: number) => number, y: (y: number) => number, scale: number, side: number, longest: number }} place
 *   `scale`: CSS pixels for each unit
 * @param {import("./stage.js").Palette} palette
 */
export function drawArrows(context, fake, push, { x, y, scale, side, longest }, { dis, card }) {
  context.beginPath();
  for (let i = 0; i < push.length; i += 2) {
    const px = x(fake[i]), py = y(fake[i + 1]), whole = [push[i] * scale, -push[i + 1] * scale];
    const share = shareInside(px, py, whole[0], whole[1], side), [dx, dy] = whole.map((one) => one * share);
    const length = Math.hypot(dx, dy);
    if (length < SHORTEST) continue;
    trace(context, px, py, dx, dy);
    // As long as any may be, or cut by the edge: a second head says that it would be longer.
    const cut = length > 2 * HEAD && (share < 1 || length >= 0.995 * longest);
    if (cut) trace(context, px, py, dx * (1 - 3 / length), dy * (1 - 3 / length));
  }
  ink(context, dis, card);
}

/**
 * How far the longest arrow leads: `rise` of the logit, which takes a verdict of 50 percent to `n`.
 * @param {number} fullArrow @param {number} longestArrow
 */
export function riseAlong(fullArrow, longestArrow) {
  const rise = fullArrow * longestArrow;
  return { rise: decimal(rise, 0), n: percent(1 / (1 + Math.exp(-rise))) };
}

/**
 * One arrow of full length with its meaning: how far the verdict rises along it, or more where arrows would be longer.
 * @param {CanvasRenderingContext2D} context
 * @param {Stream.Points} frame
 * @param {number} side
 * @param {import("./stage.js").Palette} palette
 */
export function drawArrowKey(context, { full_arrow, longest_arrow }, side, { dis, card, ink: colour, font }) {
  if (!full_arrow || !longest_arrow) return; // an older frame
  const length = longest_arrow * side, y = side - CORNER - 0.5; // a thin line is sharp in the middle of a pixel
  const { n } = riseAlong(full_arrow, longest_arrow);
  context.beginPath();
  trace(context, CORNER, y, length, 0);
  ink(context, dis, card);
  const look = { font: `${TEXT}px ${font}`, halo: card, colour, align: /** @type {const} */ ("left") };
  write(context, t("plane.arrow_key", { n }), CORNER + length + 5, y, look);
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
