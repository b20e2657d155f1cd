// Two numbers in one box.

/** The numbers of "0.5, 0.999", "0.5 0.999" or "0,5; 0,999". @param {string} text */
export function parsedPair(text) {
  const parts = text.includes(";") ? text.replaceAll(",", ".").split(";") : text.split(/[,\s]+/);
  return parts.filter((part) => part.trim()).map(Number);
}
