// Ranges that a few wild values do not decide: one spike to 1,200 must not flatten a chart of ones for good.

const TAIL = 0.02, ROOM = 4; // of the values at either end; of the distance between the two quantiles, beyond them
const FEWEST = 50; // values; of fewer the first ones are no spike yet

/**
 * Where the values of a curve mostly lie, with generous room; null where they are too few to tell, or nothing lies beyond. Few
 * values all are usual: they bound only their guests. Where there is no value the guests are among themselves.
 * @param {number[]} values losses, which are of the order of 1 where nothing else is known; NaN where there is none
 * @param {number[]} [guests] values that do not decide the range and may lie beyond it
 * @returns {[low: number, high: number] | null}
 */
export function usualRange(values, guests = []) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b), size = sorted.length, few = size < FEWEST;
  if (few && !guests.length) return null;
  if (!size) return usualRange(guests);
  const tail = few ? 0 : TAIL, low = sorted[Math.floor(tail * (size - 1))], high = sorted[Math.ceil((1 - tail) * (size - 1))];
  // The distance between a few values, or equal ones, says nothing of how far others may lie; their size does.
  const room = ROOM * (few || low === high ? Math.max(high - low, Math.abs(low), Math.abs(high), 1) : high - low);
  const isBeyond = (/** @type {number} */ value) => value < low - room || value > high + room;
  return [sorted[0], sorted[size - 1], ...guests].some(isBeyond) ? [low - room, high + room] : null;
}

/**
 * The values with those beyond the range at its edge; the upper edge alone where a value lay above it, and the lower one where
 * one lay below.
 * @param {number[]} values
 * @param {[low: number, high: number] | null} range
 */
export function clipped(values, range) {
  const [low, high] = range ?? [-Infinity, Infinity];
  return {
    inside: values.map((value) => Math.min(high, Math.max(low, value))),
    above: values.map((value) => (value > high ? high : NaN)),
    below: values.map((value) => (value < low ? low : NaN)),
  };
}
