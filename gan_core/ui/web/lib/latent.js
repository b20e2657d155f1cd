// Arithmetic of z, and the name of a verdict.

/**
 * z = base + sum of pushes[k] * directions[k].
 * @param {ArrayLike<number>} base
 * @param {number[]} pushes
 * @param {number[][]} directions
 */
export function pushed(base, pushes, directions) {
  const z = Float32Array.from(base);
  pushes.forEach((push, k) => {
    if (push) for (let i = 0; i < z.length; i++) z[i] += push * directions[k][i];
  });
  return z;
}

/** How real p is, in five steps. @param {number} p the probability of being real */
export function verdictName(p) {
  if (p < 0.1) return "fake";
  if (p < 0.4) return "rather_fake";
  if (p <= 0.6) return "unsure";
  return p <= 0.9 ? "rather_real" : "real";
}

const LARGEST_SEED = 2147483647;

/** What was typed, as a seed. @param {string | number} text */
export const seedOf = (text) => Math.min(LARGEST_SEED, Math.max(0, Math.floor(Number(text) || 0)));

/** Where the sliders stand: a base, and a push along each direction. */
export class LatentPoint {
  /** @type {Float32Array | null} */
  base = null;
  /** @type {number[]} */
  pushes = [];
  /** @type {number[][]} */
  directions = [];
  dim = 0;
  raw = false; // whether the sliders move the coordinates of the base itself

  /** How many sliders there are. */
  get count() {
    return this.raw ? this.dim : this.directions.length;
  }

  /** @param {number} k */
  get(k) {
    return (this.raw ? this.base?.[k] : this.pushes[k]) || 0;
  }

  /** @param {number} k @param {number} value */
  set(k, value) {
    if (!this.raw) this.pushes[k] = value;
    else if (this.base) this.base[k] = value;
  }

  /** @param {Float32Array} base */
  restart(base) {
    this.base = base;
    this.#release();
  }

  /** Nearest to all there is: 0 in every coordinate, or at the base. */
  center() {
    if (this.raw) this.base?.fill(0);
    this.#release();
  }

  /** Raw sliders take over where the directions have led. */
  toggleRaw() {
    this.raw = !this.raw;
    if (this.base) this.base = this.z(this.base);
    this.#release();
  }

  /**
   * Directions of another generator; the sliders stay where they are as far as that is possible.
   * True if there are other sliders now.
   * @param {number[][]} directions
   * @param {number} dim
   */
  adopt(directions, dim) {
    const changed = directions.length !== this.directions.length || dim !== this.dim;
    if (dim !== this.dim) this.base = null;
    this.directions = directions;
    this.dim = dim;
    if (changed) this.pushes = directions.map((_, k) => this.pushes[k] || 0);
    return changed;
  }

  /** @param {Float32Array} base */
  z(base) {
    return pushed(base, this.pushes, this.directions);
  }

  #release() {
    this.pushes = this.directions.map(() => 0);
  }
}
