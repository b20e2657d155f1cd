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
/**
 * Every line as it is and smoothed: `NAME` what was measured, `NAME_drawn` and `NAME_smooth` with rare values far away at the
 * edge of the others, `NAME_above` and `NAME_below` that edge where there is one. On a logarithmic axis a loss of 0 or less has
 * no place.
 * @param {number} weight of the past
 * @param {boolean} log
 */
export function curveColumns(weight, log) {
  const { series } = store, keep = spread(series.step.length, MOST_POINTS);
  /** @type {Record<string, (number | null)[]>} */
  const data = { step: series.step.filter(keep) };
  for (const [chart, name] of allLines()) {
    const values = placed(series, name, log && chart === "losses");
    const { inside, above, below } = clipped(values, log || chart !== "losses" ? null : usualRange(values));
    data[name] = values.filter(keep);
    data[`${name}_drawn`] = inside.filter(keep);
    data[`${name}_smooth`] = smoothed(inside, weight).filter(keep);
    data[`${name}_above`] = above.filter(keep);
    data[`${name}_below`] = below.filter(keep);
  }
  return data;
}

/**
 * The smoothed lines of what was given up at the last return, each from the point where it left today's line. Where one lay far
 * beyond today's values it runs to the edge and comes back from there: along the edge it would be a level that never was.
 * @param {number} weight of the past
 * @param {boolean} log
 */
export function givenUpColumns(weight, log) {
  const past = store.given_up;
  /** @type {Record<string, (number | null)[]>} */
  const data = { step: [] };
  for (const [chart, name] of allLines()) {
    if (!past) { data[`${name}_smooth`] = []; continue; }
    const noPlace = log && chart === "losses", now = placed(store.series, name, noPlace);
    const shared = now.filter((_, i) => Number(store.series.step[i]) <= past.step), first = Math.max(0, shared.length - 1);
    const way = [...shared, ...placed(past.series, name, noPlace)];
    const { inside, above, below } = clipped(way, log || chart !== "losses" ? null : usualRange(now, way));
    const isBeyond = way.map((_, i) => above[i] === inside[i] || below[i] === inside[i]);
    data[`${name}_smooth`] = smoothed(inside, weight).map((value, i) => (isLost(isBeyond, i) ? NaN : value)).slice(first);
    data.step = [...store.series.step.slice(0, shared.length), ...past.series.step].slice(first);
  }
  return data;
}

/** Whether a curve is beyond the axis here, before and after. @param {boolean[]} isBeyond @param {number} i */
const isLost = (isBeyond, i) => [i - 1, i, i + 1].every((k) => k >= isBeyond.length || isBeyond[k]);

const allLines = () => Object.entries(CHARTS).flatMap(([chart, lines]) => Object.keys(lines).map((name) => [chart, name]));

/**
 * A series' values, NaN where there is none or where it has no place on the axis.
 * @param {import("../lib/series.js").Columns} columns
 * @param {string} name
 * @param {boolean} aboveZero whether only values above 0 have a place
 */
const placed = (columns, name, aboveZero) =>
  (columns[name] || []).map((value) => (value === null || (aboveZero && value <= 0) ? NaN : value));

/**
 * The newest value and the end of its smoothed line as it is drawn, wild values at the edge; null before the first.
 * @param {string} chart
 * @param {string} name
 * @param {number} weight
 * @returns {{ alone: number, line: number, step: number } | null}
 */
export function newestValues(chart, name, weight) {
  const values = placed(store.series, name, false), at = values.findLastIndex(Number.isFinite);
  if (at < 0) return null;
  const { inside } = clipped(values, chart === "losses" ? usualRange(values) : null);
  return { alone: values[at], line: smoothed(inside, weight)[at], step: Number(store.series.step[at]) };
}

/**
 * Why a loss of the shown run can be below 0. The discriminator's can be wherever labels are noisy, which is said once it was.
 * @param {Record<string, string>} [reasons] of the kind of loss, by "d_loss" and "g_loss"
 * @param {(number | null)[]} [ofD] the discriminator's losses so far
 * @returns {string[]}
 */
export const belowZero = (reasons = {}, ofD = []) =>
  [...Object.values(reasons), ...(!reasons.d_loss && ofD.some((value) => value !== null && value < 0) ? ["noise"] : [])];
