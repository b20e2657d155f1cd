// What this browser remembers. Storage may be forbidden, as in some embedded frames; then nothing is remembered.

const RUN = "gan.run";

/** @param {string} key */
export function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

/**
 * @param {string} key
 * @param {string | number | null} value null forgets it
 */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, String(value));
  } catch { /* not remembered */ }
}

/** The run that this tab has chosen to look at, or null for the one that everybody is shown. */
export function chosenRun() {
  try { return sessionStorage.getItem(RUN); } catch { return null; }
}

/** @param {string | null} run */
export function chooseRun(run) {
  try {
    if (run) sessionStorage.setItem(RUN, run); else sessionStorage.removeItem(RUN);
  } catch { /* not remembered */ }
}
