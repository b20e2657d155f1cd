// What is known of data, in a sentence or two.
import { known, number, t } from "../words.js";

/** "5,000 pictures, 28 x 28, grey". @param {Stream.About} about */
export function sizeOf({ count, shape }) {
  if (shape.length === 1) return t("data.facts_points", { n: number(count) });
  const color = t(shape[0] === 1 ? "data.grey" : "data.color");
  return t(count === 1 ? "data.facts_one" : "data.facts", { n: number(count), wide: shape[2], high: shape[1], color });
}

/** The names of the classes, "" where there are none. @param {Stream.About} about @param {number} [most] */
export function classesOf({ names }, most = Infinity) {
  if (!names || names.length < 2) return "";
  const some = names.slice(0, most).join(", ");
  return t("data.classes", { n: number(names.length), names: names.length > most ? `${some}, …` : some });
}

/** What was decided for all pictures together. @param {Stream.About} about */
export function decisionsOf({ decisions = {} }) {
  const { merged, background, white, blank } = decisions;
  return [
    merged?.length ? t("data.merged", { names: merged.join(", ") }) : "",
    background ? t(`data.background_${background}`) : "",
    white ? t("data.white", { n: number(white) }) : "",
    blank ? t("data.blank", { n: number(blank) }) : "",
  ].filter(Boolean).join(". ");
}

/** How many files were left out, and why. @param {Stream.About} about */
export function leftOutOf({ skipped }) {
  const all = Object.entries(skipped || {}).filter(([, n]) => n > 0);
  if (!all.length) return "";
  const reasons = all.map(([name, n]) => {
    const key = `skipped.${name}`;
    return known(key) ? t(key, { n: number(n) }) : `${number(n)} ${name}`;
  });
  return t("data.left_out", { n: number(all.reduce((sum, [, n]) => sum + n, 0)), reasons: reasons.join(", ") });
}
