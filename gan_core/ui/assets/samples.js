// The line noise -> generator -> discriminator, the fakes with their history (a grid of pictures, or points on the plane),
// and the strip of real pictures.
(() => {
  "use strict";
  const { h, t, say, swap, fit, store, on, url, last, number, percent, parts, frameShown, plane } = window.gan;
  const NATIVE = 224; // 8 cells of 28 pixels
  const REAL_PLANE = 108; // CSS pixels
  // A whole multiple of the picture's own pixels where one fits and fills most of the room, else as large as fits.
  const FILLS = 0.7;
  const zoom = (space, native) => { const whole = fit(space, native); return (whole <= space && whole >= FILLS * space ? whole : space) / native; };

  parts.flow = (root) => {
    const verdict = h("b", {}, t("flow.verdict_none"));
    const box = (kind, help, ...inner) => h("span", { class: `gan-box ${kind}`, title: t(help) }, ...inner);
    const arrow = (word) => h("span", { class: "gan-arrow" }, "\u2192", word ? h("span", { class: "gan-word" }, ` ${word} \u2192`) : null);
    root.append(h("div", { class: "gan-flow", role: "img", "aria-label": t("flow.label") },
      box("", "flow.help_noise", t("flow.noise")), arrow(), box("g", "flow.help_counterfeiter", t("flow.counterfeiter")),
      arrow(t("flow.fake")), box("d", "flow.help_expert", t("flow.expert")), arrow(), box("v", "flow.help_verdict", verdict)));
    // The mean of the last few steps: a single batch jumps too much to be read.
    function draw() {
      const recent = ((store.series || {}).d_fake || []).slice(-20).filter((p) => p !== null);
      const mean = recent.length ? recent.reduce((a, b) => a + b, 0) / recent.length : last((store.series || {}).d_fake);
      say(verdict, mean === null ? t("flow.verdict_none") : t("flow.verdict", { n: percent(mean) }));
    }
    on("snapshot metrics", draw, root);
    draw();
  };

  parts.grid = (root) => {
    let image = h("img", { class: "gan-fakes", alt: "", width: NATIVE, height: NATIVE, hidden: true, draggable: "false" });
    const empty = h("p", { class: "gan-empty" }, t("empty.server"));
    const columns = h("div", { class: "gan-columns", hidden: true }); // what is drawn in each column, where there are classes
    const holder = h("div", { id: "sample-grid", class: "gan-holder" }, columns, image, empty);
    const slider = h("input", { type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": t("samples.history"), disabled: true });
    const at = h("span", { class: "gan-at" });
    const live = h("button", { type: "button", class: "gan-btn gan-small", "aria-pressed": "true" }, h("i", { class: "gan-dot" }), t("samples.live"));
    const caption = h("span"), points = plane.stage(holder);
    root.append(h("div", { class: "gan-stage" }, holder,
      h("div", { class: "gan-under" },
        h("span", { class: "gan-caption" }, h("b", { class: "g" }, t("samples.fakes")), " ", caption),
        h("span", { class: "gan-scrub" }, at, slider, live))));

    let looking = null, wanted = null, busy = false, drawn = null; // looking: an entry of the history, null = the newest
    function size() {
      const stacked = matchMedia("(max-width: 1269.9px)").matches; // then the page scrolls and only the width is given
      const wide = image.naturalWidth || NATIVE, high = image.naturalHeight || NATIVE;
      const times = Math.min(zoom(holder.clientWidth - 4, wide), zoom((stacked ? 0.55 * innerHeight : holder.clientHeight) - (columns.hidden ? 4 : 22), high));
      root.style.setProperty("--wide", `${times * wide}px`);
      root.style.setProperty("--high", `${times * high}px`);
      image.classList.toggle("gan-smooth", (times * (window.devicePixelRatio || 1)) % 1 !== 0); // uneven pixels would be seen
    }
    new ResizeObserver(size).observe(holder);

    async function pump() { // one at a time, the newest wish wins
      if (busy) return;
      busy = true;
      while (wanted) {
        const wish = wanted;
        wanted = null;
        try {
          const found = wish.points || (store.data === "points" ? await json(wish.src) : null);
          if (wish.run !== store.run) continue; // another run is shown by now
          if (found) points.show(found, wish);
          else {
            image = await swap(image, wish.src, t("samples.alt", { n: (wish.rows || 8) * (wish.cols || 8), step: number(wish.step) }));
            size();
            points.hide();
          }
          image.hidden = Boolean(found);
          named(found ? 0 : wish.cols || drawn?.cols);
          drawn = wish;
          empty.hidden = true;
          if (wish.live) frameShown();
          say(at, t("samples.at_step", { step: number(wish.step) }));
        } catch { // a picture of the history that has been thinned away, or a torn connection: keep the old one
          if (!wish.live) store.history = store.history.filter((entry) => entry.seq !== wish.seq);
        }
      }
      busy = false;
    }
    function named(cols) {
      const names = ((store.config || {}).condition === "class" && (store.about || {}).names) || [];
      const each = names.length > 1 ? cols / names.length : 0; // columns a class: a whole number, or the grid is not by class
      const shown = each >= 1 && Number.isInteger(each) && !image.hidden;
      if (columns.hidden !== !shown) { columns.hidden = !shown; holder.classList.toggle("named", shown); size(); }
      if (shown && columns.dataset.names !== names.join()) {
        columns.dataset.names = names.join();
        columns.replaceChildren(...names.map((name) => h("span", { title: name }, name)));
      }
    }
    async function json(src) {
      const reply = await fetch(src);
      if (!reply.ok) throw new Error(src);
      return reply.json();
    }
    function newest() {
      const { frame } = store;
      if (looking || !frame) return;
      if (drawn && drawn.live && drawn.seq === frame.seq && drawn.run === store.run) return;
      wanted = { ...frame, run: store.run, live: true };
      pump();
    }
    function marks() {
      const top = Math.max(0, store.history.length - 1);
      slider.max = top;
      slider.disabled = top < 1;
      const place = looking ? store.history.findIndex((entry) => entry.seq === looking.seq) : top;
      if (document.activeElement !== slider || !looking) slider.value = place < 0 ? top : place;
      live.setAttribute("aria-pressed", String(!looking));
      root.classList.toggle("gan-past", Boolean(looking));
    }
    function look() {
      const place = Number(slider.value);
      looking = place >= store.history.length - 1 ? null : store.history[place];
      if (looking) {
        wanted = { src: url("frame", { run: store.run, seq: looking.seq }), ...looking, run: store.run, live: false };
        pump();
      } else { drawn = null; newest(); }
      slider.setAttribute("aria-valuetext", t("samples.at_step", { step: number((looking || store.frame || { step: 0 }).step) }));
      marks();
    }
    slider.addEventListener("input", look);
    live.addEventListener("click", () => { slider.value = slider.max; look(); });
    on("snapshot", () => {
      looking = null;
      drawn = null;
      if (!store.frame) { image.hidden = true; named(0); points.hide(); empty.hidden = false; say(at, ""); }
      words();
      marks();
      newest();
    }, root);
    function words() {
      const waiting = store.status && ["starting", "running"].includes(store.status.state);
      const classes = store.config && store.config.condition === "class";
      say(caption, t(store.data === "points" ? "plane.caption" : classes ? "samples.caption_classes" : "samples.caption"));
      const progress = store.status && store.status.state === "starting" && store.status.progress;
      if (progress) say(empty, [window.gan.far(progress), window.gan.counted(progress)].filter(Boolean).join(" \u00b7 "));
      else say(empty, t(!store.status && store.connection !== "open" ? "empty.server" : waiting ? "samples.waiting" : "samples.empty"));
    }
    on("status connection", words, root);
    on("frame", () => { words(); marks(); newest(); }, root);
    words();
    marks();
    newest();
  };

  parts.real = (root) => {
    let image = h("img", { class: "gan-reals", alt: "", width: NATIVE, height: 56, hidden: true, draggable: "false" });
    const empty = h("p", { class: "gan-empty" }, t("samples.real_empty"));
    const canvas = h("canvas", { class: "gan-reals points", role: "img", "aria-label": t("plane.real_alt"), hidden: true });
    const holder = h("div", { class: "gan-strip" }, image, canvas, empty);
    const said = h("span");
    root.append(holder, h("p", { class: "gan-caption" }, h("b", { class: "r" }, t("samples.real")), " ", said));
    function words() {
      const { about, config } = store;
      say(said, about && about.shape ? `${window.gan.called((config || {}).dataset)}: ${window.gan.facts(about)}` : t("samples.real_caption"));
      said.title = about && about.names ? about.names.join(", ") : "";
    }
    on("snapshot frame", words, root);
    words();
    function size() {
      const wide = image.naturalWidth || NATIVE, times = zoom(holder.clientWidth - 4, wide);
      root.style.setProperty("--wide", `${times * wide}px`);
      root.style.setProperty("--high", `${times * (image.naturalHeight || 56)}px`);
    }
    new ResizeObserver(size).observe(holder);
    let drawn = "";
    async function draw() {
      const src = store.real || "";
      if (src === drawn) return;
      drawn = src;
      canvas.hidden = !src.points;
      root.classList.toggle("gan-beside", Boolean(src.points));
      if (src.points) { image.hidden = empty.hidden = true; plane.strip(canvas, REAL_PLANE); return; }
      if (!src) { image.hidden = true; empty.hidden = false; return; }
      try {
        image = await swap(image, src, t("samples.real_alt"));
        size();
        empty.hidden = true;
      } catch { drawn = ""; }
    }
    on("snapshot frame", draw, root);
    on("colours", () => plane.strip(canvas, REAL_PLANE), root);
    draw();
  };
})();
