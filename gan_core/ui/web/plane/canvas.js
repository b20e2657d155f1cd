// A square canvas in the screen's own pixels.
import { pixelRatio } from "../dom.js";

/**
 * Its context, empty, measured in CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number} side in CSS pixels
 */
export function sized(canvas, side) {
  const pixels = Math.max(1, Math.round(side * pixelRatio()));
  if (canvas.width !== pixels || canvas.height !== pixels) canvas.width = canvas.height = pixels; // this empties it too
  canvas.style.width = canvas.style.height = `${side}px`;
  const context = contextOf(canvas);
  context.setTransform(pixels / side, 0, 0, pixels / side, 0, 0);
  context.clearRect(0, 0, side, side);
  return context;
}

/** @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser draws no canvas.");
  return context;
}

/**
 * Words that can be read on anything: with a halo in the card's colour.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x @param {number} y the middle of its height
 * @param {{ font: string, halo: string, colour: string, align: CanvasTextAlign }} look
 */
export function write(context, text, x, y, { font, halo, colour, align }) {
  Object.assign(context, { font, textBaseline: "middle", textAlign: align, lineJoin: "round", lineWidth: 3, strokeStyle: halo,
    fillStyle: colour });
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}
