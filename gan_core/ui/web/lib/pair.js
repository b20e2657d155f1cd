// Two numbers in one box.

/** The numbers of "0.5, 0.999", "0.5 0.999", "0,5; 0,999" or "0,5 0,999". @param {string} text */
export function parsedPair(text) {
  const spaced = text.split(/[;\s]+/).map((part) => part.replace(/^,+|,+$/g, "")).filter(Boolean);
  const parts = spaced.length > 1 ? spaced.map((part) => part.replaceAll(",", ".")) : text.split(",");
  return parts.filter((part) => part.trim()).map(Number);
}
