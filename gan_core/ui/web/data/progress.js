// How far the data are: downloaded, read, fitted.
import { percent } from "../lib/numbers.js";
import { decimal, number, t } from "../words.js";

/** @param {Stream.Progress} progress */
const stageOf = ({ stage }) => (["downloading", "reading", "fitting"].includes(stage) ? stage : "reading");

/** The stage, with its percentage where the end is known. @param {Stream.Progress} progress */
export function progressShare(progress) {
  const { done, total } = progress, stage = stageOf(progress);
  return total > 0 ? t(`data.${stage}`, { n: percent(done / total) }) : t(`data.${stage}_some`);
}

/** How many of how many, "" before the first. @param {Stream.Progress} progress */
export function progressCount(progress) {
  const { done, total } = progress, bytes = stageOf(progress) === "downloading";
  const written = (/** @type {number} */ n) => (bytes ? decimal(n / 1e6, 1) : number(n));
  if (!done && !total) return "";
  return t(`data.${total > 0 ? "of" : "some"}_${bytes ? "bytes" : "pictures"}`, { done: written(done), total: written(total) });
}

/** Both. @param {Stream.Progress} progress @param {string} separator */
export const progressWords = (progress, separator) =>
  [progressShare(progress), progressCount(progress)].filter(Boolean).join(separator);
