// One request at a time, and always one for the newest wish.

/**
 * Answers the newest wish: while one is being answered, later ones replace each other, and the last is answered after it,
 * however it ended. `answer` handles its own errors.
 * @template Wish
 */
export class Newest {
  #answer;
  /** @type {{ wish: Wish } | null} */
  #waiting = null;
  #busy = false;

  /** @param {(wish: Wish) => Promise<void>} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  /** @param {Wish} wish */
  async ask(wish) {
    this.#waiting = { wish };
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#waiting) {
        const { wish: next } = this.#waiting;
        this.#waiting = null;
        await this.#answer(next);
      }
    } finally {
      this.#busy = false;
    }
  }

  /** In place of the wish that is being answered, unless a newer one waits. @param {Wish} wish */
  instead(wish) {
    this.#waiting ??= { wish };
  }
}
