// Layer: how many fakes have left the plane, at the side over which they left.
import { number } from "../words.js";
import { write } from "./canvas.js";

const EDGE = 5, SIZE = 5, TEXT = 12; // CSS pixels

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ReturnType<typeof import("../lib/plane.js").outside>} counts
 * @param {number} side
 * @param {import("./stage.js").Palette} palette
 */
export function drawOutside(context, counts, side, { gen, card, font }) {
  const middle = side / 2, far = side - EDGE;
  /** @type {[count: number, x: number, y: number, dx: number, dy: number, align: CanvasTextAlign][]} */
  const places = [[counts.left, EDGE, middle, -1, 0, "left"], [counts.right, far, middle, 1, 0, "right"],
    [counts.top, middle, EDGE, 0, -1, "center"], [counts.bottom, middle, far, 0, 1, "center"]];
  for (const [count, x, y, dx, dy, align] of places) {
    if (!count) continue;
    context.beginPath(); // a triangle that points out
    context.moveTo(x, y);
    context.lineTo(x - SIZE * 1.6 * dx + SIZE * dy, y - SIZE * 1.6 * dy + SIZE * dx);
    context.lineTo(x - SIZE * 1.6 * dx - SIZE * dy, y - SIZE * 1.6 * dy - SIZE * dx);
    context.closePath();
    Object.assign(context, { fillStyle: gen, strokeStyle: card, lineWidth: 3, lineJoin: "round" });
    context.stroke();
    context.fill();
    write(context, number(count), x - 14 * dx, y - 17 * dy, { font: `600 ${TEXT}px ${font}`, halo: card, colour: gen, align });
  }
}
