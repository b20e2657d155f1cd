// Numbers as people type and paste them.

/**
 * A number as a number box reads it, from the writing of another language: "0,5" is 0.5, "1 234,5" and "1.234,5" are 1234.5.
 * In a whole number commas separate thousands, and a single one without three digits after it is left to be refused.
 * @param {string} text
 * @param {boolean} whole
 */
export function plainNumber(text, whole) {
  const plain = text.replace(/[\s'\u2019]/gu, "").replace(/^[\u2212\u2013]/u, "-");
  const commas = plain.split(",").length - 1;
  if (!commas) return plain;
  const thousands = whole && /^(,|-?\d{1,3}(,\d{3})+)$/.test(plain);
  if (thousands || commas > 1 || plain.indexOf(".") > plain.indexOf(",")) return plain.replaceAll(",", "");
  return plain.replaceAll(".", "").replace(",", ".");
}
