// The curves: losses, and how real the discriminator finds both kinds of pictures. Drawn by BokehJS, loaded after the first paint.
(() => {
  "use strict";
  const { h, t, say, lang, decimal, store, on, url, last, remember, parts } = window.gan;
  const LINES = { losses: ["d_loss", "g_loss"], beliefs: ["d_real", "d_fake"] };
  const COLOUR = { d_loss: "--dis", g_loss: "--gen", d_real: "--real", d_fake: "--gen" };
  const REDRAW_MS = 250; // the machine that draws is often the machine that trains
  const MOST_POINTS = 1200;

  let library = null;
  function bokeh() { // once a page; a failed load may be tried again
    const script = (name) => new Promise((resolve, reject) => {
      document.head.append(h("script", { src: url(name), onload: resolve, onerror: () => reject(new Error(name)) }));
    });
    library = library || script("bokeh.js").then(() => script("bokeh-api.js")).then(() => window.Bokeh)
      .catch((error) => { library = null; throw error; });
    return library;
  }

  // Exponential moving average over the points that are there; a missing one (a single-network step) stays missing.
  function smoothed(values, weight) {
    let sum = 0, mass = 0;
    return values.map((value) => {
      if (!Number.isFinite(value)) return NaN;
      sum = weight * sum + (1 - weight) * value;
      mass = weight * mass + (1 - weight);
      return sum / mass;
    });
  }
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function columns(weight, log) {
    const series = store.series || { step: [] }, names = [...LINES.losses, ...LINES.beliefs], data = {};
    const stride = Math.max(1, Math.ceil(series.step.length / MOST_POINTS)), end = series.step.length - 1;
    const keep = (_, i) => i % stride === 0 || i === end;
    data.step = series.step.filter(keep);
    for (const name of names) {
      const numbers = (series[name] || []).map((value) => (value === null || (log && name.endsWith("loss") && value <= 0) ? NaN : value));
      data[`${name}_smooth`] = smoothed(numbers, weight).filter(keep);
      data[name] = numbers.filter(keep);
    }
    return data;
  }

  function chart(B, source, kind, { log, hidden, height }) {
    const log_losses = kind === "losses" && log;
    const p = B.Plotting.figure({
      height, sizing_mode: "stretch_width", toolbar_location: null, tools: "", y_axis_type: log_losses ? "log" : "linear",
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
    const Format = B.Models.get("CustomJSTickFormatter");
    below.formatter = new Format({ code: "return window.gan.number(tick)" });
    below.ticker.desired_num_ticks = 5;
    left.formatter = new Format({ code: "return window.gan.short(tick)" });
    if (!log_losses) left.ticker.desired_num_ticks = 3;
    if (kind === "beliefs") {
      const Range = B.Models.get("Range1d"), Span = B.Models.get("Span");
      p.y_range = new Range({ start: -0.02, end: 1.02 });
      left.ticker = new (B.Models.get("FixedTicker"))({ ticks: [0, 0.5, 1] });
      p.add_layout(new Span({ location: 0.5, dimension: "width", line_dash: [3, 4], line_color: mute, line_width: 1 }));
    } else Object.assign(p.y_range, { default_span: log_losses ? 1 : 2, range_padding: 0.08, only_visible: true });
    p.x_range.range_padding = 0.01;
    const drawn = {};
    for (const name of LINES[kind]) {
      const colour = css(COLOUR[name]), x = { field: "step" };
      drawn[name] = [
        p.line(x, { field: name }, { source, line_color: colour, line_width: 1, line_alpha: 0.28 }),
        p.line(x, { field: `${name}_smooth` }, { source, line_color: colour, line_width: 2 }),
      ];
      for (const line of drawn[name]) line.visible = !hidden.has(name);
    }
    // One tooltip for all lines: it hangs on a line that is always there.
    const anchor = p.line({ field: "step" }, { field: `${LINES[kind][0]}_smooth` }, { source, line_alpha: 0, line_width: 1 });
    const row = (label, value) => `<span style="opacity:.75">${label}</span><b style="text-align:right">${value}</b>`;
    const tooltips = `<div style="display:grid;grid-template-columns:auto auto;gap:2px 10px">${row(t("curves.step"), "@step{0,0}")}${
      LINES[kind].map((name) => row(t(`curves.${name}`), `@${name}_smooth{0.000}`) + row(t("curves.raw"), `@${name}{0.000}`)).join("")}</div>`;
    const M = (name, values = {}) => new (B.Models.get(name))(values);
    const wheel = M("WheelZoomTool", { dimensions: "width" }), box = M("BoxZoomTool"), hover = M("HoverTool", { mode: "vline", renderers: [anchor], tooltips, line_policy: "nearest", point_policy: "follow_mouse" });
    p.add_tools(hover, wheel, box, M("ResetTool"));
    const mouse = matchMedia("(hover: hover)").matches; // on a touch screen a finger on a chart must still scroll the page
    Object.assign(p.toolbar, { active_scroll: mouse ? wheel : null, active_drag: mouse ? box : null, autohide: true });
    return { p, drawn };
  }

  parts.curves = (root) => {
    const hidden = new Set();
    let log = remember("gan.log") === "1", weight = Number(remember("gan.smooth") ?? 0.94), B = null, charts = {}, due = 0, drawnAt = 0, built = 0;
    if (!(weight >= 0 && weight < 1)) weight = 0.94;
    const smooth = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, "aria-label": t("curves.smooth") });
    smooth.value = weight;
    smooth.addEventListener("input", () => { weight = Number(smooth.value); remember("gan.smooth", weight); ask(); });
    const logBox = h("input", { type: "checkbox" });
    logBox.checked = log;
    logBox.addEventListener("change", () => { log = logBox.checked; remember("gan.log", log ? "1" : "0"); build(); });
    const fit = h("button", { type: "button", class: "gan-btn gan-small", onclick: () => build() }, t("curves.fit"));
    const values = {}, plots = {}, notes = {};
    const legend = (kind) => h("div", { class: "gan-legend" }, ...LINES[kind].map((name) => {
      values[name] = h("b", { class: "w4" });
      return h("button", { type: "button", class: `gan-key ${name}`, "aria-pressed": "true", title: t("curves.hide"), onclick(event) {
        if (!hidden.delete(name)) hidden.add(name);
        event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(name)));
        for (const line of (charts[kind] || { drawn: {} }).drawn[name] || []) line.visible = !hidden.has(name);
      } }, h("i"), t(`curves.${name}`), " ", values[name]);
    }), kind === "beliefs" ? h("span", { class: "gan-guess" }, h("i"), t("curves.guessing")) : null);
    const plot = (kind) => {
      notes[kind] = h("p", { class: "gan-empty" }, t("curves.loading"));
      plots[kind] = h("div", { class: "gan-plot", role: "img", "aria-label": t(`curves.${kind}_alt`) });
      return h("div", { class: "gan-plotbox" }, plots[kind], notes[kind]);
    };
    root.append(h("div", { id: "loss-curves", class: "gan-curves" },
      h("div", { class: "gan-row" }, h("h2", {}, t("curves.losses")), h("span", { class: "gan-space" }), fit,
        h("label", { class: "gan-row" }, t("curves.smooth"), smooth), h("label", { class: "gan-row" }, logBox, t("curves.log"))),
      legend("losses"), plot("losses"), h("h2", {}, t("curves.beliefs")), legend("beliefs"), plot("beliefs")));

    function numbers() {
      for (const name of Object.keys(values)) {
        const list = smoothed(((store.series || {})[name] || []).filter((v) => v !== null).slice(-200), weight);
        say(values[name], list.length ? decimal(list[list.length - 1], 2) : "");
      }
    }
    function draw() {
      due = 0;
      if (!root.isConnected) return;
      drawnAt = performance.now();
      numbers();
      const some = Boolean(store.series && store.series.step.length);
      for (const note of Object.values(notes)) {
        note.hidden = Boolean(B) && some;
        if (B) say(note, t("curves.empty"));
      }
      const data = Object.keys(charts).length ? columns(weight, log) : null;
      for (const { source } of Object.values(charts)) source.data = data;
    }
    function ask() {
      if (due) return;
      due = setTimeout(() => requestAnimationFrame(draw), Math.max(0, REDRAW_MS - (performance.now() - drawnAt)));
    }
    async function build() {
      if (!B) return;
      const mine = ++built, box = plots.losses.parentNode;
      const data = columns(weight, log), made = {};
      for (const kind of Object.keys(LINES)) {
        const height = Math.max(110, Math.floor((kind === "losses" ? box : plots.beliefs.parentNode).clientHeight));
        const source = new (B.Models.get("ColumnDataSource"))({ data }); // a bokeh model lives in one document only
        made[kind] = { source, ...chart(B, source, kind, { log, hidden, height }) };
        const fresh = h("div", { class: "gan-plot", role: "img", "aria-label": t(`curves.${kind}_alt`) });
        plots[kind].after(fresh); // the old chart stays until the new one stands
        await B.Plotting.show(made[kind].p, fresh);
        if (mine !== built) { fresh.remove(); return; }
        plots[kind].remove();
        plots[kind] = fresh;
      }
      charts = made;
      draw();
    }
    let wide = 0;
    new ResizeObserver(() => { // heights are the layout's; bokeh follows the width by itself
      clearTimeout(wide);
      wide = setTimeout(() => { if (B && Math.abs(plots.losses.parentNode.clientHeight - ((charts.losses || { p: {} }).p.height || 0)) > 8) build(); }, 150);
    }).observe(plots.losses.parentNode);
    on("snapshot", () => (B ? build() : ask()), root);
    on("metrics", ask, root);
    on("colours", build, root);
    numbers();
    const begin = () => bokeh().then((found) => { B = found; B.set_log_level("error"); return build(); })
      .catch((error) => { console.error(error); for (const note of Object.values(notes)) say(note, t("curves.failed")); });
    requestAnimationFrame(() => setTimeout(begin, 50)); // the page first
  };
})();
