// Marks: thin lines across a chart where the course of the run was changed, and what they say.
import { token } from "../dom.js";
import { store } from "../store.js";
import { label, number, short, t } from "../words.js";
import { model } from "./bokeh.js";
import { givenUpSentence } from "./given_up.js";

const MOST_MARKS = 200; // the newest ones
const STRONG = 0.75, FAINT = 0.4; // the second: of what was given up at a return

/** A knob's value as people read it. @param {any} value @returns {string} */
export function shownValue(value) {
  if (Array.isArray(value)) return value.map(shownValue).join("; ");
  if (typeof value === "number") return Math.abs(value) >= 1000 ? number(value) : short(value);
  if (typeof value === "boolean") return t(value ? "knobs.yes" : "knobs.no");
  return value === null || value === undefined ? "\u2013" : String(value);
}

/** What a mark says, one line a change. Going back also turns the knobs back to where they stood. @param {Stream.Mark} mark */
export function markLines(mark) {
  const value = (/** @type {string} */ name, /** @type {any} */ one) => label(`choices.${name}.${one}`, shownValue(one));
  const lines = Object.entries(mark.changes || {}).map(([name, [from, to]]) =>
    t("marks.change", { name: t(`fields.${name}`), from: value(name, from), to: value(name, to) }));
  if (mark.kind === "restore") {
    const past = mark.step === store.given_up?.step ? [givenUpSentence()] : [];
    return [t("marks.restore"), ...past, ...lines];
  }
  return lines.length ? lines : [t("marks.other")];
}

export function marksData() {
  // The machine's own changes, of threads, stand under its facts: a mark means that somebody turned a knob.
  const byHand = (/** @type {Stream.Mark[]} */ marks) => marks.filter(({ kind }) => kind !== "threads").slice(-MOST_MARKS);
  const past = byHand(store.given_up?.marks ?? []), today = byHand(store.marks), marks = [...past, ...today];
  const isPast = (/** @type {number} */ place) => place < past.length;
  return { step: marks.map(({ step }) => step), strength: marks.map((_, place) => (isPast(place) ? FAINT : STRONG)),
    said: marks.map((mark, place) => {
      const when = isPast(place) ? [t("marks.given_up")] : [];
      return [t("marks.at", { step: number(mark.step) }), ...when, ...markLines(mark)].join("\n");
    }) };
}

/** Lines over the whole height; a wider, unseen one beneath makes them easy to point at. @param {any} p the figure */
export function addMarks(p) {
  const source = model("ColumnDataSource", { data: marksData() }), x = { field: "step" };
  const wide = p.vspan(x, { source, line_width: 11, line_alpha: 0 });
  const dashed = { line_alpha: { field: "strength" }, line_dash: { value: [2, 2] } };
  p.vspan(x, { source, line_width: 1, line_color: token("--mut"), ...dashed });
  p.add_tools(model("HoverTool", { renderers: [wide], attachment: "above",
    tooltips: '<div style="white-space:pre-line;max-width:260px">@said</div>' }));
  return source;
}
