// Where points of the plane lie on a square of the screen.

/**
 * @param {number[]} view x from, x to, y from, y to
 * @param {number} side
 * @returns {[(x: number) => number, (y: number) => number]}
 */
export const projection = ([x0, x1, y0, y1], side) =>
  [(x) => ((x - x0) / (x1 - x0)) * side, (y) => ((y1 - y) / (y1 - y0)) * side];

/**
 * Between two frames; the later one where they cannot be blended.
 * @param {number[] | null | undefined} from
 * @param {number[]} to
 * @param {number} share 0 is `from`, 1 is `to`
 */
export const blend = (from, to, share) => (share >= 1 || !from || from.length !== to.length ? to
  : to.map((value, i) => from[i] + (value - from[i]) * share));
