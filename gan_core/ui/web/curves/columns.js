// The data of the curves: what is drawn of the series.
import { clipped, usualRange } from "../lib/robust.js";
import { spread } from "../lib/series.js";
import { smoothed } from "../lib/smoothing.js";
import { store } from "../store.js";

/**
 * The lines of each chart with their colours of tokens.css, by the series' names in the stream.
 * @type {Record<string, Record<string, string>>}
 */
export const CHARTS = { losses: { d_loss: "--dis", g_loss: "--gen" }, beliefs: { d_real: "--real", d_fake: "--gen" } };

const MOST_POINTS = 1200; // of a line
const RECENT = 200; // values whose average the legend shows

/**
 * Every line as it is and smoothed: `NAME` what was measured, `NAME_drawn` and `NAME_smooth` with rare values far away at the
 * edge of the others, `NAME_beyond` that edge where there is one. On a logarithmic axis a loss of 0 or less has no place.
 * @param {number} weight of the past
 * @param {boolean} log
 */
export function curveColumns(weight, log) {
  const { series } = store, keep = spread(series.step.length, MOST_POINTS);
  /** @type {Record<string, (number | null)[]>} */
  const data = { step: series.step.filter(keep) };
  for (const [chart, lines] of Object.entries(CHARTS)) for (const name of Object.keys(lines)) {
    const noPlace = (/** @type {number} */ value) => log && chart === "losses" && value <= 0;
    const values = (series[name] || []).map((value) => (value === null || noPlace(value) ? NaN : value));
    const { inside, beyond } = clipped(values, log || chart !== "losses" ? null : usualRange(values));
    data[name] = values.filter(keep);
    data[`${name}_drawn`] = inside.filter(keep);
    data[`${name}_smooth`] = smoothed(inside, weight).filter(keep);
    data[`${name}_beyond`] = beyond.filter(keep);
  }
  return data;
}

/** The newest smoothed value, undefined before the first. @param {string} name @param {number} weight */
export function newestSmoothed(name, weight) {
  return smoothed((store.series[name] || []).filter((value) => value !== null).slice(-RECENT), weight).at(-1);
}
