// BokehJS, loaded once after the first paint, and a bare figure in the page's own colours and numbers. It knows no series.
import { address } from "../address.js";
import { h, token } from "../dom.js";
import { number, short } from "../words.js";

/** @type {Promise<any> | null} */
let library = null;

/** Bokeh; a failed load may be tried again. */
export function loadBokeh() {
  library ||= script("bokeh.js").then(() => script("bokeh-api.js")).then(() => {
    window.Bokeh.set_log_level("error");
    return window.Bokeh;
  }).catch((error) => {
    library = null;
    throw error;
  });
  return library;
}

/** @param {string} name @returns {Promise<void>} */
function script(name) {
  return new Promise((resolve, reject) => {
    document.head.append(h("script", { src: address(name), onload: () => resolve(), onerror: () => reject(new Error(name)) }));
  });
}

/**
 * Draws a figure into its place. Bokeh makes each a stop of the tab key, where no key does anything: it is none here.
 * @param {any} p @param {HTMLElement} place
 */
export async function draw(p, place) {
  const { canvas } = await window.Bokeh.Plotting.show(p, place);
  canvas.events_el.tabIndex = -1;
}

/** A Bokeh model by its name. @param {string} name @param {Record<string, any>} [values] */
export const model = (name, values = {}) => new (window.Bokeh.Models.get(name))(values);

const EDGE = 20; // CSS pixels above and below all values together: room for the mark of the best one
const LETTERS = 11; // CSS pixels, where lines and borders have the widths below

/** How much wider lines and borders are. @param {import("./stack.js").Size} size */
export const widened = ({ letters }) => letters / LETTERS;

/**
 * @param {object} options
 * @param {import("./stack.js").Size} options.size
 * @param {boolean} [options.log] whether y is logarithmic
 * @param {boolean} [options.share] whether the values lie in [0, 1]
 * @param {number} [options.last] of so many steps only, following the newest; 0: of all
 */
export function figure({ size, log = false, share = false, last = 0 }) {
  const { height, letters } = size, wide = widened(size);
  const p = window.Bokeh.Plotting.figure({
    height, sizing_mode: "stretch_width", toolbar_location: null, tools: "", y_axis_type: log ? "log" : "linear",
    output_backend: "canvas", background_fill_color: null, border_fill_color: null, outline_line_color: null,
    min_border_left: 42 * wide, min_border_right: 8 * wide, min_border_top: 6 * wide, min_border_bottom: 22 * wide,
  });
  const [below] = p.below, [left] = p.left;
  for (const axis of [below, left]) {
    Object.assign(axis, { axis_line_color: null, major_tick_line_color: null, minor_tick_line_color: null,
      major_label_text_color: token("--mut"), major_label_text_font_size: `${letters}px`,
      major_label_text_font: "system-ui, sans-serif" });
  }
  for (const grid of p.center) grid.grid_line_color = grid.dimension === 1 ? token("--line") : null;
  below.formatter = formatter(number);
  below.ticker.desired_num_ticks = 5;
  below.ticker.min_interval = 1; // steps are whole: no number twice while there is one measurement
  left.formatter = formatter(short);
  left.ticker.desired_num_ticks = log ? Math.max(2, Math.min(6, Math.round(height / 40))) : 3; // more would overlap
  if (share) {
    p.y_range = model("Range1d", { start: -0.02, end: 1.02 });
    left.ticker = model("FixedTicker", { ticks: [0, 0.5, 1] });
  } else {
    const range_padding = Math.max(0.08, EDGE / height);
    Object.assign(p.y_range, { default_span: log ? 1 : 2, range_padding, only_visible: true });
  }
  p.x_range.range_padding = 0.01;
  if (last) Object.assign(p.x_range, { follow: "end", follow_interval: last });
  return p;
}

/** Our own numbers, because BokehJS knows only English ones. @param {(tick: number) => string} format */
const formatter = (format) => model("CustomJSTickFormatter", { args: { format }, code: "return format(tick)" });
