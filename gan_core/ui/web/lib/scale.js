// A slider's places, 0 to `last`, as a knob's value, and back.

/**
 * @typedef {object} Slider
 * @property {number} low
 * @property {number} high
 * @property {number} stops
 * @property {boolean} log whether it walks in equal ratios
 * @property {boolean} zero whether place 0 stands for the value 0, left of `low`
 */

const tidy = (/** @type {number} */ value) => Number(value.toPrecision(2));

/**
 * @param {Slider} slider
 * @param {boolean} whole whether the values are whole numbers
 */
export function sliderScale({ low, high, stops, log, zero }, whole) {
  const round = whole ? Math.round : tidy, first = zero ? 1 : 0, last = first + stops;
  const span = log ? Math.log(high / low) : high - low;
  const clipped = (/** @type {number} */ place) => Math.min(last, Math.max(first, place));
  return {
    last,
    /** @param {number} value */
    place(value) {
      if (zero && value <= 0) return 0;
      return clipped(first + (stops * (log ? Math.log(value / low) : value - low)) / span);
    },
    /** @param {number} place */
    value(place) {
      if (place < first) return 0;
      const share = (place - first) / stops;
      return round(log ? low * Math.exp(span * share) : low + span * share);
    },
  };
}
