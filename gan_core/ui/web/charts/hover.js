// What a chart says where one points at it, and how it zooms.
import { model } from "./bokeh.js";

/**
 * One tooltip for all lines: it hangs on a line that is always there.
 * @param {any} p the figure
 * @param {any} anchor
 * @param {[label: string, value: string][]} rows the value in Bokeh's own template
 */
export function addHover(p, anchor, rows) {
  const cells = rows
    .map(([label, value]) => `<span style="opacity:.75">${label}</span><b style="text-align:right">${value}</b>`).join("");
  const tooltips = `<div style="display:grid;grid-template-columns:auto auto;gap:2px 10px">${cells}</div>`;
  const wheel = model("WheelZoomTool", { dimensions: "width" }), box = model("BoxZoomTool");
  const pointing = { mode: "vline", line_policy: "nearest", point_policy: "follow_mouse" };
  p.add_tools(model("HoverTool", { renderers: [anchor], tooltips, ...pointing }), wheel, box, model("ResetTool"));
  const mouse = matchMedia("(hover: hover)").matches; // on a touch screen a finger on a chart must still scroll the page
  Object.assign(p.toolbar, { active_scroll: mouse ? wheel : null, active_drag: mouse ? box : null, autohide: true });
}
