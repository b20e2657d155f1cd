// Layer: how many fakes have left the plane, at the side over which they left.
import { outside } from "../lib/plane.js";
import { number } from "../words.js";

const EDGE = 5, SIZE = 5, TEXT = 12; // CSS pixels

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} fake x, y, x, y ...
 * @param {number[]} view
 * @param {number} side
 * @param {import("./stage.js").Palette} palette
 */
export function drawOutside(context, fake, view, side, { gen, card }) {
  const middle = side / 2, far = side - EDGE, counts = outside(fake, view);
  /** @type {[count: number, x: number, y: number, dx: number, dy: number, align: CanvasTextAlign][]} */
  const places = [[counts.left, EDGE, middle, -1, 0, "left"], [counts.right, far, middle, 1, 0, "right"],
    [counts.top, middle, EDGE, 0, -1, "center"], [counts.bottom, middle, far, 0, 1, "center"]];
  const font = `600 ${TEXT}px ${getComputedStyle(document.body).fontFamily}`;
  Object.assign(context, { font, textBaseline: "middle", lineJoin: "round" });
  for (const [count, x, y, dx, dy, align] of places) {
    if (!count) continue;
    context.beginPath(); // a triangle that points out
    context.moveTo(x, y);
    context.lineTo(x - SIZE * 1.6 * dx + SIZE * dy, y - SIZE * 1.6 * dy + SIZE * dx);
    context.lineTo(x - SIZE * 1.6 * dx - SIZE * dy, y - SIZE * 1.6 * dy - SIZE * dx);
    context.closePath();
    Object.assign(context, { textAlign: align, fillStyle: gen, strokeStyle: card, lineWidth: 3 });
    const text = number(count), textX = x - 14 * dx, textY = y - 17 * dy;
    context.stroke();
    context.strokeText(text, textX, textY);
    context.fill();
    context.fillText(text, textX, textY);
  }
}
