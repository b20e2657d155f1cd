// What the discriminator said of one z at earlier steps of a paused run: what the steps between did to this very fake.
import { isIn, store } from "../store.js";

export class VerdictMemory {
  #key = ""; // the run, the generator and the z that the verdicts are of
  /** @type {Map<number, number>} by step */
  #verdicts = new Map();

  /**
   * Keeps a verdict, and returns the one before the single steps just made; null where that is not known.
   * @param {string} key @param {number} step @param {number} verdict
   */
  before(key, step, verdict) {
    if (this.#key !== key || !isIn("paused")) [this.#key, this.#verdicts] = [key, new Map()];
    this.#verdicts.set(step, verdict);
    const probe = store.status?.step === step ? store.status.probe : null;
    return probe?.before ? this.#verdicts.get(step - probe.steps) ?? null : null;
  }
}
