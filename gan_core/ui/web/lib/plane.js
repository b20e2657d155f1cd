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

/**
 * Which share of an arrow that begins in a square lies in it, 1 where all of it does; 0 where it begins outside.
 * @param {number} x @param {number} y where it begins
 * @param {number} dx @param {number} dy
 * @param {number} side
 */
export function shareInside(x, y, dx, dy, side) {
  if (Math.min(x, y) < 0 || Math.max(x, y) > side) return 0;
  const room = (/** @type {number} */ from, /** @type {number} */ way) => (way > 0 ? side - from : from);
  return Math.min(1, ...[[x, dx], [y, dy]].filter(([, way]) => way).map(([from, way]) => room(from, way) / Math.abs(way)));
}

/**
 * How many points lie outside the view, by the side over which they are furthest away.
 * @param {number[]} points x, y, x, y ...
 * @param {number[]} view x from, x to, y from, y to
 */
export function outside(points, [x0, x1, y0, y1]) {
  const counts = { left: 0, right: 0, top: 0, bottom: 0 };
  for (let i = 0; i < points.length; i += 2) {
    const beyond = { left: x0 - points[i], right: points[i] - x1, bottom: y0 - points[i + 1], top: points[i + 1] - y1 };
    const names = /** @type {(keyof typeof beyond)[]} */ (Object.keys(beyond));
    const furthest = names.reduce((a, b) => (beyond[b] > beyond[a] ? b : a));
    if (beyond[furthest] > 0) counts[furthest] += 1;
  }
  return counts;
}
