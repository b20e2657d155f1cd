// Numbers as people read them.

/** @param {string} language */
export function formats(language) {
  const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  const significant = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  /** With exactly so many decimals. @param {number} value @param {number} digits */
  const decimal = (value, digits) => {
    const shown = Number(value.toFixed(digits)) || 0; // never a minus before zeros
    return shown.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  };
  return {
    /** Whole, with separators: 1,234,567. @param {number} value */
    number: (value) => whole.format(value),
    decimal,
    /** Two beside each other: whole, or with one decimal where they differ and would look the same. @param {number[]} values */
    pair: (...values) => {
      const [one, other] = values.map((value) => decimal(value, 0));
      return one !== other || values[0] === values[1] ? [one, other] : values.map((value) => decimal(value, 1));
    },
    /** At most three significant digits. @param {number} value */
    short: (value) => significant.format(value),
  };
}

/** A probability as a whole percentage from 0 to 100, without its sign. @param {number} p */
export const percent = (p) => String(Math.round(Math.min(1, Math.max(0, p)) * 100));

/** Seconds as 05:09, or 1:05:09 from an hour on. @param {number} [seconds] */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0)), pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60), rest = pad(whole % 60);
  return minutes < 60 ? `${pad(minutes)}:${rest}` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${rest}`;
}

/**
 * With a real minus sign, and a plus sign before what is positive.
 * @param {number} value
 * @param {string} digits of its absolute value
 */
export const signed = (value, digits) => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + digits;
