// The events by short requests, one after another: for a page whose stream something on the way holds back.
// What is asked for, and what becomes of the answers, is left to stream.js.

const GAP_MS = 400; // from an answer to the next request; the server lets one without events wait for a second
const LONGEST_MS = 10000; // for one request

/** @typedef {{ [name in keyof Stream.Events]: [name: name, id: string, event: Stream.Events[name]] }[keyof Stream.Events]} Row */

/**
 * @param {() => string} next the address of the next request
 * @param {(rows: Row[]) => void} take
 * @param {() => void} fail is told once of a request that was not answered; none follows
 * @returns {() => void} ends it
 */
export function poll(next, take, fail) {
  const life = new AbortController();
  let ended = false;
  async function ask() {
    while (!ended) {
      const late = setTimeout(() => life.abort(), LONGEST_MS);
      try {
        const reply = await fetch(next(), { signal: life.signal, cache: "no-store" });
        if (!reply.ok) throw new Error(`The events did not come: status ${reply.status}.`);
        const { events } = await reply.json();
        if (!ended) take(events);
      } finally {
        clearTimeout(late);
      }
      await new Promise((resolve) => { setTimeout(resolve, GAP_MS); });
    }
  }
  ask().catch(() => {
    if (ended) return;
    ended = true;
    fail();
  });
  return () => {
    ended = true;
    life.abort();
  };
}
