// Layer: real points. Squares, where fakes are discs, so that they differ in more than colour.
import { projection } from "../lib/plane.js";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Stream.RealPoints} real
 * @param {number} side
 * @param {string} colour
 */
export function drawReal(context, real, side, colour) {
  const [x, y] = projection(real.view, side), size = Math.max(2.5, side / 72);
  context.fillStyle = colour;
  context.globalAlpha = 0.4; // many at one place are darker than one
  for (const [px, py] of real.points) context.fillRect(x(px) - size / 2, y(py) - size / 2, size, size);
  context.globalAlpha = 1;
}
