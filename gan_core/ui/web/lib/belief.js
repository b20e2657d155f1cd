// How real the discriminator of a kept frame finds the frame's own fakes.

/** The mean of percentages as a probability; null of none. @param {number[]} percents */
export const meanShare = (percents) =>
  (percents.length ? percents.reduce((sum, one) => sum + one, 0) / percents.length / 100 : null);

/**
 * The mean of the opinion at these points, each taken at its cell, or at the nearest one where it lies outside; null of none.
 * @param {number[][]} points (x, y)
 * @param {Uint8Array} cells size * size values of 255 * P(real), lowest row first
 * @param {number} size
 * @param {number[]} view [x0, x1, y0, y1] that the cells cover
 */
export function meanOpinion(points, cells, size, [x0, x1, y0, y1]) {
  const place = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
    Math.min(size - 1, Math.max(0, Math.floor((size * (value - low)) / (high - low))));
  const found = points.map(([x, y]) => cells[place(y, y0, y1) * size + place(x, x0, x1)]);
  return found.length ? found.reduce((sum, one) => sum + one, 0) / found.length / 255 : null;
}
