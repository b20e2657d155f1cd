// The measures of the averaged generator over the steps: the headline with what real pictures score against each other, the shares
// below it, and the newest numbers in plain words. It computes no measure; what it is not told it does not draw.
(() => {
  "use strict";
  const { h, t, say, short, decimal, number, store, on, words, inForce, parts } = window.gan;
  const { css, model, figure, hover, stand } = window.gan.charts;
  const HEADLINES = ["fd", "mode_kl", "patches", "swd"]; // lower is better
  const SHARES = ["coverage", "precision", "recall", "good"]; // in [0, 1]
  const LOOK = { coverage: { colour: "--gen" }, good: { colour: "--gen" }, precision: { colour: "--ink" },
                 recall: { colour: "--mut", dash: [5, 3] } };
  const FIRST_S = 0.9; // seconds of one core that the first measurement took here, that of real against real with it

  const known = (name) => `measures.${name}` in words.en;
  const finite = (value) => Number.isFinite(value);
  // Which names this run's measurements have, and what leads.
  function named() {
    const names = new Set();
    for (const record of store.quality || []) for (const name of Object.keys(record)) if (known(name)) names.add(name);
    const best = store.status && store.status.best;
    const first = best && names.has(best.name) ? best.name : HEADLINES.find((name) => names.has(name)) || [...names][0];
    return { first, shares: SHARES.filter((name) => names.has(name)), names };
  }
  function columns() {
    const records = store.quality || [], { first, names } = named(), data = { step: records.map((record) => record.step) };
    for (const name of [...SHARES, ...names]) data[name] = records.map((record) => (finite(record[name]) ? record[name] : NaN));
    data.head = (data[first] || []).map((value) => (value > 0 ? value : NaN)); // on a logarithmic axis
    return data;
  }
  const floor = (name) => (store.floor && store.floor[name] > 0 ? store.floor[name] : null);
  const floorData = () => {
    const records = store.quality || [], value = floor(named().first) ?? NaN;
    const now = Math.max(store.status ? store.status.step : 0, ...records.slice(-1).map(({ step }) => step));
    return records.length ? { step: [0, now], value: [value, value] } : { step: [], value: [] };
  };
  const bestData = () => {
    const best = store.status && store.status.best;
    return best && best.name === named().first && best.value > 0 ? { step: [best.step], value: [best.value] } : { step: [], value: [] };
  };
  const said = (name, value) => (!finite(value) ? "\u2013" : SHARES.includes(name) ? decimal(value, 2)
    : short(name === named().first ? value : Number(value.toFixed(3))));

  parts.quality = (root) => {
    const newest = (name) => { // a measure may be taken less often than the others
      const records = store.quality || [];
      for (let i = records.length - 1; i >= 0; i--) if (finite(records[i][name])) return records[i][name];
      return NaN;
    };
    // The numbers: each with its sentence, shown below while one points at it or reaches it by Tab.
    const sentence = h("p", { class: "gan-told", "aria-live": "polite" });
    let asked = "";
    function tell(name) {
      asked = name;
      const shown = name || named().first;
      say(sentence, shown && finite(newest(shown))
        ? t("quality.told", { name: t(`measures.${shown}`), value: said(shown, newest(shown)), help: t(`measures.${shown}.help`) }) : "");
    }
    const keys = {};
    function key(name) {
      if (keys[name]) return keys[name].element;
      const value = h("b"), element = h("button", { type: "button", class: "gan-key gan-measure", "data-measure": name }, h("i"), t(`measures.${name}`), " ", value);
      for (const event of ["pointerenter", "focus", "click"]) element.addEventListener(event, () => tell(name));
      for (const event of ["pointerleave", "blur"]) element.addEventListener(event, () => tell(""));
      keys[name] = { element, value };
      return element;
    }
    const floorSaid = h("b"), bestSaid = h("b");
    const floorKey = h("span", { class: "gan-guess gan-floor" }, h("i"), t("quality.floor"), " ", floorSaid);
    const bestKey = h("span", { class: "gan-bestkey" }, h("i"), t("quality.best"), " ", bestSaid);
    const headLegend = h("div", { class: "gan-legend" }), shareLegend = h("div", { class: "gan-legend" }), rest = h("div", { class: "gan-legend gan-rest" });
    const shareTitle = h("h2", {}, t("quality.shares"));

    const charts = stand(root, ["head", "shares"], {
      prefix: "quality",
      make(B, kind, height) {
        const source = model("ColumnDataSource", { data: columns() }), p = figure(B, { height, log: kind === "head", share: kind === "shares" });
        const { first, shares } = named(), x = { field: "step" };
        const line = (name, field) => {
          const { colour, dash } = LOOK[name] || { colour: "--gen" };
          p.line(x, { field }, { source, line_color: css(colour), line_width: 2, line_dash: { value: dash || [] } });
          p.scatter(x, { field }, { source, size: 5, fill_color: css(colour), line_color: null });
        };
        const made = { p, source, floor: model("ColumnDataSource", { data: floorData() }) };
        if (kind === "head") {
          made.best = model("ColumnDataSource", { data: bestData() });
          p.line(x, { field: "value" }, { source: made.floor, line_color: css("--real"), line_width: 1.5, line_dash: { value: [5, 4] } });
          line(first, "head");
          p.scatter(x, { field: "value" }, { source: made.best, size: 10, fill_color: css("--card"), line_color: css("--ink"), line_width: 2 });
        } else {
          p.line(x, { field: "value" }, { source: made.floor, line_alpha: 0 }); // both charts over the same steps
          for (const name of SHARES) line(name, name);
        }
        const anchor = p.line(x, { field: kind === "head" ? "head" : shares[0] || "head" }, { source, line_alpha: 0, line_width: 1 });
        const rows = kind === "head" ? [[first ? t(`measures.${first}`) : "", "@head{0.0000}"]] : shares.map((name) => [t(`measures.${name}`), `@${name}{0.000}`]);
        hover(p, anchor, [[t("curves.step"), "@step{0,0}"], ...rows]);
        return made;
      },
      draw(standing) {
        numbers();
        const data = Object.keys(standing).length ? columns() : null;
        for (const chart of Object.values(standing)) {
          chart.source.data = data;
          chart.floor.data = floorData();
          if (chart.best) chart.best.data = bestData();
        }
      },
      empty,
    });
    function empty() {
      if ((store.quality || []).length) return "";
      const active = store.kind === "run" && store.status && ["starting", "running", "paused"].includes(store.status.state);
      const share = store.config ? inForce("measure_share") : 0;
      if (share === 0) return t("quality.none");
      return active ? t("quality.empty", { n: Math.round(FIRST_S / (share || 0.05)) }) : t("quality.never");
    }
    let shape = "";
    function numbers() {
      const { first, shares, names } = named(), others = [...names].filter((name) => name !== first && !shares.includes(name));
      const now = JSON.stringify([first, shares, others]);
      if (now !== shape) { // what is measured has changed: another run, or its first measurement
        if (shape && charts) charts.build();
        shape = now;
        headLegend.replaceChildren(...(first ? [key(first), floorKey, bestKey] : []));
        shareLegend.replaceChildren(...shares.map(key));
        rest.replaceChildren(...others.map(key));
      }
      for (const [name, { value }] of Object.entries(keys)) say(value, said(name, newest(name)));
      const best = bestData();
      floorKey.hidden = floor(first) === null;
      bestKey.hidden = !best.step.length;
      say(floorSaid, floor(first) === null ? "" : short(floor(first)));
      say(bestSaid, best.step.length ? t("quality.best_at", { value: short(best.value[0]), step: number(best.step[0]) }) : "");
      shareTitle.hidden = !shares.length;
      tell(asked);
    }
    root.append(headLegend, charts.boxes.head, shareTitle, shareLegend, charts.boxes.shares, rest, sentence);
    on("quality", charts.ask, root);
    on("status", charts.ask, root);
    numbers();
  };
})();
