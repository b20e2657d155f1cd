// Strokes of a hand as points of the unit square.

const STEP = 0.012; // between two points, of the square's side

/**
 * Points at even distances from `from` towards `to`, however fast the hand was.
 * @param {[number, number]} from
 * @param {[number, number]} to
 * @param {number} most
 * @returns {[number, number][]}
 */
export function along(from, to, most) {
  const far = Math.hypot(to[0] - from[0], to[1] - from[1]), steps = Math.min(most, Math.floor(far / STEP));
  return Array.from({ length: Math.max(0, steps) }, (_, k) => {
    const share = ((k + 1) * STEP) / far;
    return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
  });
}
