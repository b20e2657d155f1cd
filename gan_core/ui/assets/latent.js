// The slider bank: z = seed's z + sum of a_k d_k, sent as float32, and the picture and verdict that come back.
// One request is on its way at a time; when it is back, the newest position is asked for.
(() => {
  "use strict";
  const { h, t, say, swap, store, on, emit, url, remember, percent, decimal, parts, playground } = window.gan;
  const REACH = { directions: 6, raw: 4 };

  parts.latent = (root) => {
    let base = null, pushes = [], directions = [], version = null, run = null, dim = 0, raw = false, dragging = false, seed = 7;
    let image = h("img", { id: "latent-image", class: "gan-driven", alt: "", width: 28, height: 28, hidden: true, draggable: "false" });
    const empty = h("p", { class: "gan-empty" }, t("empty.server"));
    const words = h("b"), share = h("span", { class: "gan-share" }), fill = h("i");
    const meter = h("div", { class: "gan-meter", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0, "aria-label": t("latent.expert_says") }, fill);
    const bank = h("div", { id: "latent-sliders", class: "gan-bank", role: "group", "aria-label": t("latent.title") });
    const about = h("span", { class: "gan-mute" });
    const seedBox = h("input", { type: "number", min: 0, max: 2147483647, step: 1, value: seed, id: "latent-seed", class: "gan-seed" });
    const label = h("select", { id: "latent-class", class: "gan-seed" });
    const labels = h("label", { class: "gan-row", hidden: true }, t("latent.class"), label);
    const psi = h("input", { type: "range", min: 0, max: 1.5, step: 0.05, value: 1, id: "latent-psi" });
    const psiValue = h("b", { class: "w4" }, decimal(1, 2));
    const button = (id, key, action) => h("button", { type: "button", class: "gan-btn", id, onclick: action }, t(key));
    const mode = button("latent-mode", "latent.to_raw", () => { raw = !raw; fold(); build(); });
    root.append(h("div", { class: "gan-latent" },
      h("div", { class: "gan-drive" }, h("div", { class: "gan-frame" }, image, empty),
        h("div", { class: "gan-verdict" }, h("span", { class: "gan-mute" }, t("latent.expert_says")), words, meter, share)),
      h("div", { class: "gan-desk" },
        h("div", { class: "gan-row gan-head" }, h("h2", {}, t("latent.title")), about, h("span", { class: "gan-space" }),
          h("label", { class: "gan-row" }, t("latent.seed"), seedBox), labels,
          h("label", { class: "gan-row", title: t("latent.truncation_help") }, t("latent.truncation"), psi, psiValue),
          button("latent-surprise", "latent.surprise", () => plant(Math.floor(Math.random() * 10000))),
          button("latent-middle", "latent.middle", middle), mode),
        bank)));

    // Sliders.
    const name = (k) => remember(`gan.name.${run}.${k}`) || String(k + 1);
    const at = (k) => (raw ? base[k] : pushes[k]) || 0;
    const signed = (v) => (v > 0 ? "+" : v < 0 ? "\u2212" : "") + decimal(Math.abs(v), 1);
    function put(row, k) {
      row.input.value = at(k);
      say(row.value, signed(Math.abs(at(k)) < 0.05 ? 0 : at(k)));
    }
    let rows = [];
    function build() {
      const many = raw ? dim : directions.length, reach = raw ? REACH.raw : REACH.directions;
      rows = [];
      for (let k = 0; k < many; k++) {
        const label = h("span", { class: "gan-name", title: raw ? null : t("latent.rename") }, raw ? String(k + 1) : name(k));
        const input = h("input", { type: "range", min: -reach, max: reach, step: 0.05, title: t("latent.reset_one"),
          "aria-label": t(raw ? "latent.coordinate" : "latent.slider", { n: raw ? k + 1 : name(k) }) });
        const row = { input, value: h("b", { class: "w4" }) };
        const set = (value, when) => { if (raw) base[k] = value; else pushes[k] = value; put(row, k); ask(when); };
        input.addEventListener("input", (event) => set(Number(input.value), event.timeStamp));
        input.addEventListener("dblclick", (event) => set(0, event.timeStamp));
        if (!raw) label.addEventListener("dblclick", () => rename(k, label, input));
        rows.push(row);
        put(row, k);
        row.element = h("div", { class: "gan-slider" }, label, input, row.value);
      }
      bank.replaceChildren(...rows.map((row) => row.element));
      bank.classList.toggle("raw", raw);
      bank.scrollTop = 0;
      say(mode, t(raw ? "latent.to_directions" : "latent.to_raw"));
      describe();
    }
    function rename(k, label, input) {
      const box = h("input", { type: "text", maxlength: 24, "aria-label": t("latent.rename_ask") });
      const done = (keep) => {
        if (!box.isConnected) return;
        if (keep) remember(`gan.name.${run}.${k}`, box.value.trim() || null);
        box.replaceWith(label);
        say(label, name(k));
        input.setAttribute("aria-label", t("latent.slider", { n: name(k) }));
      };
      box.value = name(k);
      box.addEventListener("blur", () => done(true));
      box.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") done(event.key === "Enter"); });
      label.replaceWith(box);
      box.select();
    }
    bank.addEventListener("pointerdown", (event) => { dragging = event.target.type === "range"; });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { if (dragging) { dragging = false; refresh(); } });

    // z.
    function point() {
      const z = Float32Array.from(base);
      pushes.forEach((push, k) => { if (push) for (let i = 0; i < dim; i++) z[i] += push * directions[k][i]; });
      return z;
    }
    function fold() { // raw sliders take over where the directions have led
      if (base) base = point();
      pushes = directions.map(() => 0);
    }
    function middle(event) {
      if (!base) return;
      if (raw) base.fill(0);
      pushes = directions.map(() => 0);
      rows.forEach(put);
      ask(event.timeStamp);
    }
    async function plant(number, when = performance.now()) {
      seed = Math.min(2147483647, Math.max(0, Math.floor(Number(number) || 0)));
      seedBox.value = seed;
      const mine = run;
      const reply = await fetch(url("seed", { run: mine, seed })).catch(() => null);
      if (!reply || !reply.ok || run !== mine) return;
      base = Float32Array.from((await reply.json()).z);
      pushes = directions.map(() => 0);
      rows.forEach(put);
      ask(when);
    }
    seedBox.addEventListener("change", () => plant(seedBox.value));
    label.addEventListener("change", (event) => ask(event.timeStamp));
    function classes(many) { // networks that are told a class are told which one
      labels.hidden = !many;
      const names = (store.about && store.about.names) || [], said = Array.from({ length: many }, (_, k) => names[k] || String(k));
      if (label.dataset.names === said.join()) return;
      label.dataset.names = said.join();
      label.classList.toggle("names", said.some((name) => name.length > 2));
      label.replaceChildren(...said.map((name, k) => h("option", { value: k }, name)));
    }
    psi.addEventListener("input", (event) => { say(psiValue, decimal(Number(psi.value), 2)); ask(event.timeStamp); });

    // One request at a time.
    let busy = false, wish = 0, again = 0;
    function ask(when = performance.now()) {
      wish = when || performance.now();
      if (!busy) pump();
    }
    async function pump() {
      busy = true;
      while (wish && base && run && root.isConnected) {
        const asked = wish, mine = run;
        wish = 0;
        try {
          const reply = await fetch(url("z", { run: mine, psi: psi.value, ...(labels.hidden ? {} : { label: label.value }) }), { method: "POST", body: point().buffer, headers: { "Content-Type": "application/octet-stream" } });
          if (reply.status === 503) { later(500); break; }
          if (!reply.ok) { nothing((await reply.text()).slice(0, 200)); break; }
          const src = URL.createObjectURL(await reply.blob()), old = image.src;
          image = await swap(image, src, t("latent.alt"));
          if (old.startsWith("blob:")) URL.revokeObjectURL(old);
          empty.hidden = true;
          const place = (reply.headers.get("X-Gan-Point") || "").split(",").map(Number);
          image.classList.toggle("gan-smooth", place.length === 2);
          emit("driven", place.length === 2 ? { run: mine, point: place } : null);
          verdict(Number(reply.headers.get("X-Gan-Verdict")));
          playground.sliderLatencyMs = performance.now() - asked;
        } catch { later(1500); break; } // the server is away; the stream says so on the bar
      }
      busy = false;
    }
    function later(ms) {
      if (image.hidden) say(empty, t("latent.waking"));
      clearTimeout(again);
      again = setTimeout(() => (base ? ask() : refresh()), ms);
    }
    function nothing(message) {
      if (image.hidden) say(empty, t("latent.error", { message }));
    }
    function unsay() {
      say(words, "");
      say(share, "");
      fill.style.width = "0";
      meter.setAttribute("aria-valuenow", 0);
    }
    function verdict(p) {
      if (!Number.isFinite(p)) return;
      const step = ["fake", "rather_fake", "unsure", "rather_real", "real"][p < 0.1 ? 0 : p < 0.4 ? 1 : p <= 0.6 ? 2 : p <= 0.9 ? 3 : 4];
      say(words, t(`latent.says_${step}`));
      say(share, t("latent.verdict", { n: percent(p) }));
      fill.style.width = `${percent(p)}%`;
      meter.setAttribute("aria-valuenow", percent(p));
    }

    // A new generator: new picture at once, new directions only when no hand is on a slider.
    async function refresh() {
      const fresh = store.latent;
      if (!store.run || !fresh || !fresh.live) { blank(); return; }
      const other = run !== store.run;
      run = store.run;
      if (!dragging) {
        const mine = run, reply = await fetch(url("directions", { run })).catch(() => null);
        if (run !== mine || dragging) return;
        if (!reply || !reply.ok) { if (!reply || reply.status === 503) later(500); else blank(); return; }
        const data = await reply.json();
        classes(data.classes || 0);
        if (other || data.version !== version || data.latent_dim !== dim) {
          const grown = data.directions.length !== directions.length || data.latent_dim !== dim || other;
          version = data.version;
          directions = data.directions;
          if (data.latent_dim !== dim) base = null;
          dim = data.latent_dim;
          if (grown) pushes = directions.map((_, k) => pushes[k] || 0);
          if (!base) { await plant(seed); if (base) build(); else later(500); return; }
          if (grown) build();
        }
      }
      describe();
      ask();
    }
    function blank() {
      say(empty, t(store.connection === "open" ? "latent.empty" : "empty.server"));
      empty.hidden = !image.hidden && Boolean(store.run) && run === store.run;
      if (run === store.run) return;
      image.hidden = true;
      empty.hidden = false;
      unsay();
      // Sliders of another run's generator stay while this one is about to have its own; nothing jumps at every Start.
      if (!store.status || !["starting", "running"].includes(store.status.state)) { bank.replaceChildren(); rows = []; run = null; say(about, ""); }
    }
    function describe() {
      const training = store.status && store.status.state === "running";
      const many = t(raw ? "latent.raw" : "latent.directions", { n: raw ? dim : directions.length });
      say(about, dim ? `${many} \u00b7 ${t(training ? "latent.live" : "latent.still")}` : "");
    }
    on("frame", () => { if (label.options.length && !labels.hidden) classes(label.options.length); }, root); // names come with the first
    on("snapshot latent", refresh, root);
    on("status", describe, root);
    if (store.connection === "open") refresh();
  };
})();
