// Layer: the ring around the point that the slider bank drives. It has no switch.
import { drawFakes } from "./fakes.js";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} px
 * @param {number} py
 * @param {import("./stage.js").Palette} palette
 */
export function drawRing(context, px, py, palette) {
  const circle = (/** @type {number} */ width, /** @type {string} */ colour) => {
    context.beginPath();
    context.arc(px, py, 8, 0, 2 * Math.PI);
    Object.assign(context, { lineWidth: width, strokeStyle: colour });
    context.stroke();
  };
  circle(5, palette.card);
  circle(2, palette.ink);
  drawFakes(context, [px, py], Number, Number, 3.2, palette);
}
