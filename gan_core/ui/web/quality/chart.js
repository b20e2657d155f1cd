// One chart of the measures: what leads, with its floor and its best, or others.
import { figure, model, widened } from "../charts/bokeh.js";
import { GIVEN_UP } from "../charts/given_up.js";
import { addHover } from "../charts/hover.js";
import { token } from "../dom.js";
import { t } from "../words.js";
import { CHARTS, bestColumns, floorColumns, lookOf, measures, qualityColumns } from "./measures.js";

/**
 * `source`, `floor`, `best` and `past` are its sources of data.
 * @param {string} kind of CHARTS
 * @param {import("../charts/stack.js").Size} size
 */
export function qualityChart(kind, size) {
  const { leads = false, share } = CHARTS[kind], { first = "", charts } = measures(), names = leads ? ["head"] : charts[kind];
  const x = { field: "step" }, value = { field: "value" }, wide = widened(size), p = figure({ size, log: leads, share });
  const [source, floor, best, past] = [qualityColumns(), floorColumns(), bestColumns(), qualityColumns(true)]
    .map((data) => model("ColumnDataSource", { data }));
  const line = (/** @type {string} */ field, name = field) => {
    const { colour, dash } = lookOf(name), line_color = token(colour);
    p.line(x, { field }, { source, line_color, line_width: 2 * wide, line_dash: { value: dash } });
    p.scatter(x, { field }, { source, size: 5 * wide, fill_color: line_color, line_color: null });
    p.line(x, { field }, { source: past, line_color, line_width: 1.5 * wide, ...GIVEN_UP });
  };
  if (leads) {
    p.line(x, value, { source: floor, line_color: token("--real"), line_width: 1.5 * wide, line_dash: { value: [5, 4] } });
    line("head", first);
    const ring = { fill_color: token("--card"), line_color: token("--ink"), line_width: 2 * wide };
    p.scatter(x, value, { source: best, size: 10 * wide, ...ring });
  } else {
    p.line(x, value, { source: floor, line_alpha: 0 }); // all charts over the same steps
    for (const name of names) line(name);
  }
  const anchor = p.line(x, { field: names[0] || "head" }, { source, line_alpha: 0, line_width: 1 });
  /** @type {[string, string][]} */
  const rows = leads ? [[first && t(`measures.${first}`), "@head{0.0000}"]]
    : names.map((name) => [t(`measures.${name}`), `@${name}{0.000}`]);
  addHover(p, anchor, [[t("curves.step"), "@step{0,0}"], ...rows]);
  return { p, source, floor, best, past };
}
