// The discriminator's opinion as the opacity of a map.

const DEEPEST = 0.45; // never so opaque that it drowns the points
const SHARPER = 3; // times the logit: a discriminator that is held back by penalties stays near the middle
export const FINER = 4; // drawn pixels for each cell, along each side

// Opacity by 255 * P(real): one fixed curve, steepest at the middle.
const OPACITY = Uint8ClampedArray.from({ length: 256 }, (_, v) => {
  const p = Math.min(254, Math.max(1, v)) / 255;
  return (255 * DEEPEST) / (1 + (1 / p - 1) ** SHARPER);
});

/** The cells of an opinion: 255 * P(real), lowest row first. @param {string} values base64 */
export const cellsOf = (values) => Uint8Array.from(atob(values), (byte) => byte.charCodeAt(0));

/**
 * Rounded by a binomial filter, because a sure discriminator makes a coast of square cells.
 * @param {Uint8Array} cells
 * @param {number} size
 */
export function softened(cells, size) {
  const inside = (/** @type {number} */ i) => Math.min(size - 1, Math.max(0, i));
  const at = (/** @type {number} */ row, /** @type {number} */ column) => cells[inside(row) * size + inside(column)];
  const along = (/** @type {(i: number) => number} */ f, /** @type {number} */ i) => (f(i - 1) + 2 * f(i) + f(i + 1)) / 4;
  const soft = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) soft[row * size + column] = along((r) => along((c) => at(r, c), column), row);
  }
  return soft;
}

/**
 * Opacities, FINER times as many along each side; row 0 of the cells is at the bottom, row 0 of the result at the top.
 * @param {Uint8Array} cells size * size values of 255 * P(real)
 * @param {number} size
 */
export function opacities(cells, size) {
  const fine = size * FINER, soft = softened(cells, size), found = new Uint8ClampedArray(fine * fine);
  const places = Array.from({ length: fine }, (_, i) => { // where each fine row or column lies between two coarse ones
    const place = Math.min(size - 1, Math.max(0, (i + 0.5) / FINER - 0.5)), low = Math.min(size - 2, Math.floor(place));
    return [low, place - low];
  });
  for (let i = 0; i < fine; i++) {
    const [row, up] = places[fine - 1 - i];
    for (let j = 0; j < fine; j++) {
      const [column, right] = places[j], from = row * size + column;
      const below = soft[from] + right * (soft[from + 1] - soft[from]);
      const above = soft[from + size] + right * (soft[from + size + 1] - soft[from + size]);
      found[i * fine + j] = OPACITY[Math.round(below + up * (above - below))];
    }
  }
  return found;
}
