// One chart of the curves: each line pale as it is and strong as smoothed.
import { figure, model, widened } from "../charts/bokeh.js";
import { GIVEN_UP } from "../charts/given_up.js";
import { addHover } from "../charts/hover.js";
import { token } from "../dom.js";
import { t } from "../words.js";
import { CHARTS } from "./columns.js";

/** What stands at an edge for a value far beyond it, and points there. */
const BEYOND = { above: "triangle", below: "inverted_triangle" };

/**
 * `lines`: what Bokeh draws of each name.
 * @param {string} kind
 * @param {any} source
 * @param {any} past of what was given up
 * @param {{ log: boolean, hidden: Set<string>, size: import("../charts/stack.js").Size, last: number }} options
 */
export function curveChart(kind, source, past, { log, hidden, size, last }) {
  const p = figure({ size, last, log: kind === "losses" && log, share: kind === "beliefs" }), x = { field: "step" };
  const wide = widened(size);
  if (kind === "beliefs") {
    const look = { line_dash: [3, 4], line_color: token("--mut"), line_width: wide };
    p.add_layout(model("Span", { location: 0.5, dimension: "width", ...look }));
  }
  /** @type {Record<string, any[]>} */
  const lines = {};
  for (const [name, colour] of Object.entries(CHARTS[kind])) {
    const line_color = token(colour);
    lines[name] = [
      p.line(x, { field: `${name}_drawn` }, { source, line_color, line_width: wide, line_alpha: 0.28 }),
      p.line(x, { field: `${name}_smooth` }, { source, line_color, line_width: 2 * wide }),
      ...Object.entries(BEYOND).map(([side, marker]) => p.scatter(x, { field: `${name}_${side}` },
        { source, marker, size: 7 * wide, fill_color: line_color, line_color: null })),
      p.line(x, { field: `${name}_smooth` }, { source: past, line_color, line_width: 1.5 * wide, ...GIVEN_UP }),
    ];
    for (const line of lines[name]) line.visible = !hidden.has(name);
  }
  const names = Object.keys(lines), anchor = p.line(x, { field: `${names[0]}_smooth` }, { source, line_alpha: 0, line_width: 1 });
  if (last) p.x_range.renderers = [anchor]; // the newest step is today's
  addHover(p, anchor, [[t("curves.step"), "@step{0,0}"], ...names.flatMap((name) => /** @type {[string, string][]} */ ([
    [t(`curves.${name}`), `@${name}_smooth{0.000}`], [t("curves.raw"), `@${name}{0.000}`]]))]);
  return { p, source, past, lines };
}
