// The curves: losses, and how real the discriminator finds both kinds of pictures; and the switch to the measures behind them.
(() => {
  "use strict";
  const { h, t, say, decimal, store, on, remember, segments, parts } = window.gan;
  const { css, model, figure, hover, stand } = window.gan.charts;
  const LINES = { losses: ["d_loss", "g_loss"], beliefs: ["d_real", "d_fake"] };
  const COLOUR = { d_loss: "--dis", g_loss: "--gen", d_real: "--real", d_fake: "--gen" };
  const MOST_POINTS = 1200;

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
    const p = figure(B, { height, log: kind === "losses" && log, share: kind === "beliefs" });
    if (kind === "beliefs") {
      p.add_layout(model("Span", { location: 0.5, dimension: "width", line_dash: [3, 4], line_color: css("--mut"), line_width: 1 }));
    }
    const drawn = {};
    for (const name of LINES[kind]) {
      const colour = css(COLOUR[name]), x = { field: "step" };
      drawn[name] = [
        p.line(x, { field: name }, { source, line_color: colour, line_width: 1, line_alpha: 0.28 }),
        p.line(x, { field: `${name}_smooth` }, { source, line_color: colour, line_width: 2 }),
      ];
      for (const line of drawn[name]) line.visible = !hidden.has(name);
    }
    const anchor = p.line({ field: "step" }, { field: `${LINES[kind][0]}_smooth` }, { source, line_alpha: 0, line_width: 1 });
    hover(p, anchor, [[t("curves.step"), "@step{0,0}"],
      ...LINES[kind].flatMap((name) => [[t(`curves.${name}`), `@${name}_smooth{0.000}`], [t("curves.raw"), `@${name}{0.000}`]])]);
    return { p, drawn };
  }

  parts.curves = (root) => {
    const hidden = new Set();
    let log = remember("gan.log") === "1", weight = Number(remember("gan.smooth") ?? 0.94);
    if (!(weight >= 0 && weight < 1)) weight = 0.94;
    const smooth = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, "aria-label": t("curves.smooth") });
    smooth.value = weight;
    smooth.addEventListener("input", () => { weight = Number(smooth.value); remember("gan.smooth", weight); charts.ask(); });
    const logBox = h("input", { type: "checkbox" });
    logBox.checked = log;
    logBox.addEventListener("change", () => { log = logBox.checked; remember("gan.log", log ? "1" : "0"); charts.build(); });
    const fit = h("button", { type: "button", class: "gan-btn gan-small", onclick: () => charts.build() }, t("curves.fit"));
    const values = {};
    const legend = (kind) => h("div", { class: "gan-legend" }, ...LINES[kind].map((name) => {
      values[name] = h("b", { class: "w4" });
      return h("button", { type: "button", class: `gan-key ${name}`, "aria-pressed": "true", title: t("curves.hide"), onclick(event) {
        if (!hidden.delete(name)) hidden.add(name);
        event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(name)));
        for (const line of (charts.charts()[kind] || { drawn: {} }).drawn[name] || []) line.visible = !hidden.has(name);
      } }, h("i"), t(`curves.${name}`), " ", values[name]);
    }), kind === "beliefs" ? h("span", { class: "gan-guess" }, h("i"), t("curves.guessing")) : null);

    function numbers() {
      for (const name of Object.keys(values)) {
        const list = smoothed(((store.series || {})[name] || []).filter((v) => v !== null).slice(-200), weight);
        say(values[name], list.length ? decimal(list[list.length - 1], 2) : "");
      }
    }
    const charts = stand(root, Object.keys(LINES), {
      prefix: "curves",
      make(B, kind, height) {
        const source = model("ColumnDataSource", { data: columns(weight, log) }); // a bokeh model lives in one document only
        return { source, ...chart(B, source, kind, { log, hidden, height }) };
      },
      draw(standing) {
        numbers();
        const data = Object.keys(standing).length ? columns(weight, log) : null;
        for (const { source } of Object.values(standing)) source.data = data;
      },
      empty: () => (store.series && store.series.step.length ? "" : t("curves.empty")),
    });

    const faces = [["losses", t("curves.losses")], ["quality", t("quality.title")]];
    const begin = remember("gan.face") === "quality" ? "quality" : "losses";
    const card = h("div", { class: "gan-faces" });
    const bar = segments(t("curves.faces"), faces, begin, (face) => { card.dataset.face = face; remember("gan.face", face); });
    bar.id = "curves-face";
    card.append(
      h("div", { class: "gan-row gan-switch" }, bar, h("span", { class: "gan-space" }),
        h("div", { class: "gan-row", "data-of": "losses" }, fit, h("label", { class: "gan-row" }, t("curves.smooth"), smooth),
          h("label", { class: "gan-row" }, logBox, t("curves.log"))),
        h("div", { class: "gan-row", "data-of": "quality" },
          h("button", { type: "button", class: "gan-btn gan-small", id: "btn-restore", disabled: true }, t("transport.restore")))),
      h("div", { id: "loss-curves", class: "gan-curves", "data-of": "losses" },
        legend("losses"), charts.boxes.losses, h("h2", {}, t("curves.beliefs")), legend("beliefs"), charts.boxes.beliefs),
      h("div", { id: "quality-curves", class: "gan-curves", "data-of": "quality", "data-gan": "quality" }));
    root.append(card);
    on("metrics", charts.ask, root);
    numbers();
  };
})();
