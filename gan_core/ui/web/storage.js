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

/** For this tab, over one loading of the page. @param {string} key @param {any} value of JSON */
export function keepOnce(key, value) {
  try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* not remembered */ }
}

/** What was kept so, once; null where there is nothing. @param {string} key */
export function takeOnce(key) {
  try {
    const kept = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    return kept && JSON.parse(kept);
  } catch { return null; }
}

/** For this tab, over any number of loadings. @param {string} key */
export function recallHere(key) {
  try { return sessionStorage.getItem(key); } catch { return null; }
}

/** @param {string} key @param {string | null} value null forgets it */
export function rememberHere(key, value) {
  try {
    if (value) sessionStorage.setItem(key, value); else sessionStorage.removeItem(key);
  } catch { /* not remembered */ }
}

/** The run that this tab has chosen to look at, or null for the one that everybody is shown. */
export const chosenRun = () => recallHere(RUN);

/** @param {string | null} run */
export const chooseRun = (run) => rememberHere(RUN, run);
