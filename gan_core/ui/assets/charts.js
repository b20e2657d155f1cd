// What all charts share: BokehJS, loaded once after the first paint; a bare figure in the page's own colours and numbers; and the
// marks across it, thin lines where the course of the run was changed. It knows no series.
(() => {
  "use strict";
  const { h, t, say, words, store, on, number, short, url } = window.gan;
  const REDRAW_MS = 250; // the machine that draws is often the machine that trains
  const MOST_MARKS = 200; // the newest ones

  let library = null;
  function load() { // once a page; a failed load may be tried again
    const script = (name) => new Promise((resolve, reject) => {
      document.head.append(h("script", { src: url(name), onload: resolve, onerror: () => reject(new Error(name)) }));
    });
    library = library || script("bokeh.js").then(() => script("bokeh-api.js")).then(() => { window.Bokeh.set_log_level("error"); return window.Bokeh; })
      .catch((error) => { library = null; throw error; });
    return library;
  }
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const model = (name, values = {}) => new (window.Bokeh.Models.get(name))(values);

  // `share`: the values lie in [0, 1].
  function figure(B, { height, log = false, share = false }) {
    const p = B.Plotting.figure({
      height, sizing_mode: "stretch_width", toolbar_location: null, tools: "", y_axis_type: log ? "log" : "linear",
      output_backend: "canvas", background_fill_color: null, border_fill_color: null, outline_line_color: null,
      min_border_left: 42, min_border_right: 8, min_border_top: 6, min_border_bottom: 22,
    });
    const faint = css("--line"), mute = css("--mut"), below = p.below[0], left = p.left[0];
    for (const axis of [below, left]) {
      Object.assign(axis, { axis_line_color: null, major_tick_line_color: null, minor_tick_line_color: null,
                            major_label_text_color: mute, major_label_text_font_size: "11px", major_label_text_font: "system-ui, sans-serif" });
    }
    for (const grid of p.center) grid.grid_line_color = grid.dimension === 1 ? faint : null;
    // Our own numbers, because BokehJS knows only English ones.
    below.formatter = model("CustomJSTickFormatter", { code: "return window.gan.number(tick)" });
    below.ticker.desired_num_ticks = 5;
    left.formatter = model("CustomJSTickFormatter", { code: "return window.gan.short(tick)" });
    if (!log) left.ticker.desired_num_ticks = 3;
    if (share) {
      p.y_range = model("Range1d", { start: -0.02, end: 1.02 });
      left.ticker = model("FixedTicker", { ticks: [0, 0.5, 1] });
    } else Object.assign(p.y_range, { default_span: log ? 1 : 2, range_padding: 0.08, only_visible: true });
    p.x_range.range_padding = 0.01;
    return p;
  }

  // One tooltip for all lines: it hangs on a line that is always there. `rows`: pairs of a label and Bokeh's own template.
  function hover(p, anchor, rows) {
    const cells = rows.map(([label, value]) => `<span style="opacity:.75">${label}</span><b style="text-align:right">${value}</b>`).join("");
    const tooltips = `<div style="display:grid;grid-template-columns:auto auto;gap:2px 10px">${cells}</div>`;
    const wheel = model("WheelZoomTool", { dimensions: "width" }), box = model("BoxZoomTool");
    p.add_tools(model("HoverTool", { mode: "vline", renderers: [anchor], tooltips, line_policy: "nearest", point_policy: "follow_mouse" }),
      wheel, box, model("ResetTool"));
    const mouse = matchMedia("(hover: hover)").matches; // on a touch screen a finger on a chart must still scroll the page
    Object.assign(p.toolbar, { active_scroll: mouse ? wheel : null, active_drag: mouse ? box : null, autohide: true });
  }

  // Marks.

  // A knob's value as people read it.
  function shown(value) {
    if (Array.isArray(value)) return value.map(shown).join("; ");
    if (typeof value === "number") return Math.abs(value) >= 1000 ? number(value) : short(value);
    if (typeof value === "boolean") return t(value ? "knobs.yes" : "knobs.no");
    return value === null || value === undefined ? "\u2013" : String(value);
  }
  // What a mark says: one line a change. Going back also turns the knobs back to where they stood.
  function told(mark) {
    const value = (name, one) => (`choices.${name}.${one}` in words.en ? t(`choices.${name}.${one}`) : shown(one));
    const lines = Object.entries(mark.changes || {}).map(([name, [from, to]]) =>
      t("marks.change", { name: t(`fields.${name}`), from: value(name, from), to: value(name, to) }));
    if (mark.kind === "restore") return [t("marks.restore"), ...lines];
    return lines.length ? lines : [t("marks.other")];
  }
  const marksData = () => {
    const marks = (store.marks || []).slice(-MOST_MARKS);
    return { step: marks.map((mark) => mark.step), said: marks.map((mark) => [t("marks.at", { step: number(mark.step) }), ...told(mark)].join("\n")) };
  };
  // Thin lines over the whole height; a wider, unseen one beneath makes them easy to point at.
  function marks(p) {
    const source = model("ColumnDataSource", { data: marksData() }), x = { field: "step" };
    const wide = p.vspan(x, { source, line_width: 11, line_alpha: 0 });
    p.vspan(x, { source, line_width: 1, line_alpha: 0.75, line_color: css("--mut"), line_dash: { value: [2, 2] } });
    p.add_tools(model("HoverTool", { renderers: [wide], attachment: "above", tooltips: '<div style="white-space:pre-line;max-width:260px">@said</div>' }));
    return source;
  }

  // Charts one above the other, one for each of `kinds`, standing while there is something to draw and a place to draw it:
  // built when the place is seen, built again when its height or the colours change, drawn at most four times a second.
  // make(B, kind, height) -> {p, ...}; draw(charts) puts the data in; empty() is the sentence in their place, or "".
  function stand(root, kinds, { prefix, make, draw, empty }) {
    const boxes = {}, plots = {}, notes = {};
    let B = null, charts = {}, built = 0, due = 0, drawnAt = 0, stale = false, resized = 0;
    const place = (kind) => h("div", { class: "gan-plot", role: "img", "aria-label": t(`${prefix}.${kind}_alt`) });
    for (const kind of kinds) {
      notes[kind] = h("p", { class: "gan-empty" }, t("curves.loading"));
      plots[kind] = place(kind);
      boxes[kind] = h("div", { class: "gan-plotbox" }, plots[kind], notes[kind]);
    }
    const height = (kind) => Math.floor(boxes[kind].clientHeight);
    function frame() {
      due = 0;
      if (!root.isConnected) return;
      drawnAt = performance.now();
      const word = empty();
      kinds.forEach((kind, i) => {
        notes[kind].hidden = Boolean(B) && !word;
        if (B) say(notes[kind], i ? "" : word);
      });
      draw(charts);
      for (const chart of Object.values(charts)) chart.marks.data = marksData();
    }
    function ask() {
      if (!due) due = setTimeout(() => requestAnimationFrame(frame), Math.max(0, REDRAW_MS - (performance.now() - drawnAt)));
    }
    async function build() {
      if (!B) return ask();
      stale = !height(kinds[0]); // behind another face of the card
      if (stale) return ask();
      const mine = ++built, made = {};
      for (const kind of kinds) {
        made[kind] = make(B, kind, Math.max(90, height(kind)));
        made[kind].marks = marks(made[kind].p);
        const fresh = place(kind);
        plots[kind].after(fresh); // the old chart stays until the new one stands
        await B.Plotting.show(made[kind].p, fresh);
        if (mine !== built) { fresh.remove(); return; }
        plots[kind].remove();
        plots[kind] = fresh;
      }
      charts = made;
      frame();
    }
    new ResizeObserver(() => { // heights are the layout's; bokeh follows the width by itself
      clearTimeout(resized);
      resized = setTimeout(() => {
        const standing = charts[kinds[0]] ? charts[kinds[0]].p.height : 0;
        if (height(kinds[0]) && (stale || Math.abs(Math.max(90, height(kinds[0])) - standing) > 8)) build();
      }, 150);
    }).observe(boxes[kinds[0]]);
    on("snapshot colours", build, root);
    on("marks", ask, root);
    const begin = () => load().then((found) => { B = found; return build(); })
      .catch((error) => { console.error(error); say(notes[kinds[0]], t("curves.failed")); });
    requestAnimationFrame(() => setTimeout(begin, 50)); // the page first
    return { boxes, ask, build, charts: () => charts };
  }

  window.gan.charts = { css, model, figure, hover, stand, shown, told };
})();
