// The curves' numbers: columns of equal length, one of them `step`; null where a record has no value.

/** @typedef {Record<string, (number | null)[]>} Columns */

const LONGEST = 4000; // rows; beyond it the older half is thinned

/** A copy, with a `step` column at least. @param {Columns | null | undefined} columns @returns {Columns} */
export function copied(columns) {
  const entries = Object.entries(columns || {}).map(([name, values]) => [name, [...values]]);
  return { step: [], ...Object.fromEntries(entries) };
}

/** New rows at the end, in place. @param {Columns} columns @param {Columns} fresh */
export function append(columns, fresh) {
  const rows = fresh.step.length;
  for (const [name, values] of Object.entries(columns)) {
    for (let i = 0; i < rows; i++) values.push(fresh[name]?.[i] ?? null);
  }
}

/**
 * A run of days must not fill the browser: of the older half every second row is dropped.
 * @param {Columns} columns
 * @returns {Columns}
 */
export function thinned(columns) {
  const size = columns.step.length;
  if (size <= LONGEST) return columns;
  const entries = Object.entries(columns).map(([name, values]) => [name, values.filter((_, i) => i % 2 === 0 || i > size / 2)]);
  return Object.fromEntries(entries);
}

/** At most about `most` rows, evenly chosen, the last one always there. @param {number} size @param {number} most */
export function spread(size, most) {
  const stride = Math.max(1, Math.ceil(size / most));
  return (/** @type {unknown} */ _, /** @type {number} */ i) => i % stride === 0 || i === size - 1;
}

/** The newest finite value. @param {(number | null)[] | undefined} values @returns {number | null} */
export function last(values = []) {
  for (let i = values.length - 1; i >= 0; i--) {
    const value = values[i];
    if (value !== null && Number.isFinite(value)) return value;
  }
  return null;
}

/**
 * The mean of the values among the last `rows` rows, else the newest one: a single batch jumps too much to be read.
 * @param {(number | null)[] | undefined} values
 * @param {number} rows
 */
export function recentMean(values = [], rows = 20) {
  const recent = values.slice(-rows).filter((value) => value !== null);
  return recent.length ? recent.reduce((sum, value) => sum + value, 0) / recent.length : last(values);
}
