// Layer: the discriminator's opinion as a map.
import { FINER, cellsOf, opacities } from "../lib/heat.js";
import { contextOf } from "./canvas.js";

/**
 * The map of one frame on a canvas, once for each frame and colour.
 * @param {HTMLCanvasElement} map
 * @param {Stream.Heat} heat
 * @param {string} colour #rrggbb
 */
export function paintOpinion(map, { size, values }, colour) {
  const cells = cellsOf(values), fine = size * FINER;
  const context = contextOf(map), image = context.createImageData(fine, fine);
  const [r, g, b] = (colour.match(/[0-9a-f]{2}/gi) || []).map((two) => parseInt(two, 16));
  opacities(cells, size).forEach((opacity, i) => {
    image.data[4 * i] = r;
    image.data[4 * i + 1] = g;
    image.data[4 * i + 2] = b;
    image.data[4 * i + 3] = opacity;
  });
  map.width = map.height = fine;
  context.putImageData(image, 0, 0);
}

/** @param {CanvasRenderingContext2D} context @param {HTMLCanvasElement} map @param {number} side */
export function drawOpinion(context, map, side) {
  context.imageSmoothingQuality = "high";
  context.drawImage(map, 0, 0, side, side);
}
