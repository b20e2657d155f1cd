// One request at a time, and always one for the newest wish.

/**
 * Runs `answer` for the newest call of `ask`: while one is on its way, calls add up to one more run after it, however it ended.
 * `answer` takes the time of that call, in ms, and handles its own errors.
 */
export class Newest {
  #answer;
  #asked = 0; // when the newest call was made, 0 if it is on its way already
  #busy = false;

  /** @param {(when: number) => Promise<void>} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  /** @param {number} [when] */
  async ask(when = performance.now()) {
    this.#asked = when;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#asked) {
        const began = this.#asked;
        this.#asked = 0;
        await this.#answer(began);
      }
    } finally {
      this.#busy = false;
    }
  }
}
