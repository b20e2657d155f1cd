// The exponential moving average of a curve.

/**
 * Over the values that are there, corrected for its start; a missing one (a single-network step) stays missing.
 * @param {(number | null)[]} values
 * @param {number} weight of the past, in [0, 1)
 */
export function smoothed(values, weight) {
  let sum = 0, mass = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return NaN;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}
