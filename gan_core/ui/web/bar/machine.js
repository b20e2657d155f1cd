// What a run computes with, in a few words and in sentences.
import { store } from "../store.js";
import { number, t } from "../words.js";

const PRECISIONS = ["fp32", "bf16"], FORMATS = ["channels_last", "contiguous"];

/** In a few words; a star where the run cannot be repeated exactly. @param {Partial<Stream.Status>} status */
export function machine({ device, precision, threads, exact }) {
  if (!device) return "";
  const many = threads ? (threads === 1 ? t("bar.threads") : t("bar.threads_many", { n: threads })) : "";
  return [device === "cpu" ? "CPU" : device, precision, many].filter(Boolean).join(" \u00b7 ") + (exact === false ? " *" : "");
}

/** The same in sentences, one a line. @param {Partial<Stream.Status>} status */
export function machineHelp({ device, precision = "", memory_format = "", rewrites, exact }) {
  if (!device) return "";
  const lines = [t("bar.chosen")];
  if (PRECISIONS.includes(precision)) lines.push(t(`bar.precision_${precision}`));
  if (FORMATS.includes(memory_format)) lines.push(t(`bar.memory_${memory_format}`));
  if (typeof rewrites === "boolean") lines.push(t(rewrites ? "bar.rewrites_on" : "bar.rewrites_off"));
  if (exact === false) {
    const mark = store.marks.find(({ kind }) => kind === "threads");
    lines.push(mark ? t("bar.inexact_since", { step: number(mark.step) }) : t("bar.inexact"));
  }
  return lines.join("\n");
}
