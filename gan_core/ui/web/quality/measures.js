// What is known of the measures: which names there are, which one leads, what its values are. It computes no measure.
import { lastGivenUp } from "../charts/given_up.js";
import { store } from "../store.js";
import { decimal, known, short } from "../words.js";

/**
 * The charts, from the top. Each but the first has its title in the words, `quality.NAME`, and all have `quality.NAME_alt`.
 * `leads`: only the first of its measures that a run has, with its floor and its best; lower is better. `share`: in [0, 1].
 * @type {Record<string, { leads?: boolean, share?: boolean }>}
 */
export const CHARTS = {
  head: { leads: true },
  shares: { share: true },
};

/**
 * @typedef {object} Look how a measure is drawn
 * @property {string} chart of CHARTS
 * @property {string} [colour] of tokens.css
 * @property {number[]} [dash] in CSS pixels
 */
/** A measure without a row is written as a number alone. @type {Record<string, Look>} */
const LOOKS = {
  fd: { chart: "head" },
  mode_kl: { chart: "head" },
  patches: { chart: "head" },
  swd: { chart: "head" },
  coverage: { chart: "shares" },
  precision: { chart: "shares", colour: "--ink" },
  recall: { chart: "shares", colour: "--mut", dash: [5, 3] },
  readable: { chart: "shares", colour: "--dis", dash: [2, 3] },
  good: { chart: "shares" },
};
const drawnIn = (/** @type {string} */ chart) => Object.keys(LOOKS).filter((name) => LOOKS[name].chart === chart);
const LEADER = Object.keys(CHARTS).find((chart) => CHARTS[chart].leads) ?? "";

/** Colour and dash of a measure's line. @param {string} [name] @returns {{ colour: string, dash: number[] }} */
export const lookOf = (name = "") => ({ colour: "--gen", dash: [], ...LOOKS[name] });

/** Which names this run's measurements have, what leads, and what each chart draws. */
export function measures() {
  /** @type {Set<string>} */
  const names = new Set();
  for (const record of store.quality) for (const name of Object.keys(record)) if (known(`measures.${name}`)) names.add(name);
  const best = store.status?.best;
  const leader = best && names.has(best.name) ? best.name : drawnIn(LEADER).find((name) => names.has(name));
  const first = leader || [...names].at(0);
  /** @type {Record<string, string[]>} */
  const charts = {};
  for (const chart of Object.keys(CHARTS)) {
    const others = drawnIn(chart).filter((name) => name !== first && names.has(name));
    charts[chart] = chart === LEADER ? [first ?? []].flat() : others;
  }
  return { first, charts, names };
}

/**
 * The newest value at or before a step; null where there is none. A measure may be taken less often than the others.
 * @param {string} name
 * @param {number | null} moment null: the newest of all
 * @returns {{ value: number, step: number } | null}
 */
export function measuredAt(name, moment) {
  const record = store.quality.findLast((one) => typeof one[name] === "number" && (moment === null || stepOf(one) <= moment));
  return record ? { value: Number(record[name]), step: stepOf(record) } : null;
}

/** The newest value; NaN where there is none. @param {string} name */
export const newest = (name) => measuredAt(name, null)?.value ?? NaN;

/** @param {string} name @param {number} value */
export function writtenValue(name, value) {
  if (!Number.isFinite(value)) return "\u2013";
  if (CHARTS[LOOKS[name]?.chart]?.share) return decimal(value, 2);
  return short(name === measures().first ? value : Number(value.toFixed(3)));
}

/** What real pictures score against each other; null where it is not known. @param {string} [name] */
export function floorOf(name = "") {
  const value = store.floor?.[name] ?? 0;
  return value > 0 ? value : null;
}

/** @param {Stream.Measurement} record */
const stepOf = ({ step }) => step ?? 0;

/** The measurements, or those that were given up at the last return, which begin at the last shared one. */
export function qualityColumns(past = false) {
  const records = past ? givenUp() : store.quality, { first = "", names } = measures();
  /** @type {Record<string, number[]>} */
  const data = { step: records.map(stepOf) };
  for (const name of [...Object.keys(LOOKS), ...names]) data[name] = records.map((record) => record[name] ?? NaN);
  data.head = (data[first] || []).map((value) => (value > 0 ? value : NaN)); // on a logarithmic axis
  return data;
}

function givenUp() {
  const past = store.given_up, shared = store.quality.filter((one) => stepOf(one) <= (past?.step ?? 0));
  return past ? [...shared.slice(-1), ...past.quality] : [];
}

/** The floor as a line over all steps so far. */
export function floorColumns() {
  const records = store.quality, value = floorOf(measures().first) ?? NaN;
  if (!records.length) return { step: [], value: [] };
  const past = store.given_up ? lastGivenUp(store.given_up) : 0;
  return { step: [0, Math.max(store.status?.step ?? 0, stepOf(records[records.length - 1]), past)], value: [value, value] };
}

/** The best measurement so far as a point. */
export function bestColumns() {
  const best = store.status?.best;
  if (!best || best.name !== measures().first || best.value <= 0) return { step: [], value: [] };
  return { step: [best.step], value: [best.value] };
}
