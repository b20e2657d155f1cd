// Sentences from a table of words. It knows no language.

/**
 * @param {Record<string, string>} words key -> sentence, which may hold {placeholders}
 */
export function translator(words) {
  return {
    /**
     * The sentence behind a key with its placeholders filled; the key itself where there is no sentence.
     * @param {string} key
     * @param {Record<string, string | number>} [values]
     */
    t(key, values = {}) {
      return (words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
    },
    /** @param {string} key */
    known: (key) => key in words,
    /** The sentence behind a key, else the bare name of what has none. @param {string} key @param {string} otherwise */
    label: (key, otherwise) => words[key] ?? otherwise,
  };
}
