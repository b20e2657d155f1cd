// The knobs of the run that trains now: what is in force, from the stream; a change goes to the worker and shows as waiting
// until the stream brings it back. One request is on its way at a time. The settings of the next run are none of its business.
(() => {
  "use strict";
  const { h, t, say, lang, number, store, on, inForce, parts } = window.gan;
  const { shown, told } = window.gan.charts;
  const QUIET_MS = 350; // after the last move of a slider
  const ANSWER_MS = 8000, ECHO_MS = 2000;
  const LOGGED = 12; // marks in the list
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const tidy = (value) => Number(value.toPrecision(2));

  // Two numbers, written in either language's way.
  const pair = (text) => (text.includes(";") ? text.replaceAll(",", ".").split(";") : text.split(/[,\s]+/)).filter((part) => part.trim()).map(Number);

  // A slider's places, 0 to `last`, as the knob's value, and back. With `zero` place 0 is 0; `log` walks in equal ratios.
  function scale({ low, high, log, zero, stops, whole }) {
    const round = whole ? Math.round : tidy, first = zero ? 1 : 0, last = first + stops, clip = (place) => Math.min(last, Math.max(first, place));
    const ratio = log ? Math.log(high / low) : high - low;
    return {
      last,
      to: (value) => (zero && value <= 0 ? 0 : clip(first + stops * (log ? Math.log(value / low) : value - low) / ratio)),
      from: (place) => (place < first ? 0 : round(log ? low * Math.exp(ratio * (place - first) / stops) : low + ratio * (place - first) / stops)),
    };
  }

  parts.knobs = (root) => {
    const groups = JSON.parse(root.dataset.knobs)[lang], rows = [];
    const note = h("p", { class: "gan-told", role: "status" }), log = h("ol", { class: "gan-log" }), logTitle = h("h2", {}, t("marks.title"));
    const refused = new Set(); // their boxes go back to what is in force, even with the cursor in them
    const pending = {}, waiting = {}; // name -> asked value: not confirmed yet; not even sent yet
    let flying = null, timer = 0;

    function wish(name, value) {
      if (same(value, name in pending ? pending[name] : inForce(name))) return draw();
      pending[name] = waiting[name] = value;
      draw();
      send();
    }
    function send() {
      const button = document.getElementById("btn-tune"), native = button && (button.tagName === "BUTTON" ? button : button.querySelector("button"));
      if (flying || !native || !Object.keys(waiting).length) return;
      flying = { ...waiting };
      for (const name of Object.keys(waiting)) delete waiting[name];
      window.gan.tuning = JSON.stringify(flying);
      native.click();
      timer = setTimeout(() => answered(false), ANSWER_MS);
    }
    // Called by gradio's event when the worker has obeyed or the change was refused (the refusal itself is gradio's message).
    function answered(ok) {
      clearTimeout(timer);
      const asked = flying || {};
      flying = null;
      const forget = () => {
        for (const [name, value] of Object.entries(asked)) {
          if (!same(pending[name], value) || name in waiting) continue;
          delete pending[name];
          if (!same(value, inForce(name))) refused.add(name);
        }
        draw();
      };
      if (ok) setTimeout(forget, ECHO_MS); else forget(); // the stream is about to say it; if it does not, it is not so
      send();
    }
    window.gan.tuned = answered;

    function row(knob) {
      const { name, kind } = knob, label = t(`fields.${name}`), id = `knob-${name}`;
      const was = h("span", { class: "gan-was" });
      const back = h("button", { type: "button", class: "gan-back", onclick: () => wish(name, store.config[name]) }, t("knobs.back"));
      const box = kind === "choice" ? h("select", { id }, ...knob.choices.map(([value, said]) => h("option", { value }, said)))
        : h("input", { id, type: kind === "pair" ? "text" : "number", step: kind === "whole" ? 1 : "any", min: knob.allowed && knob.allowed[0],
            max: knob.allowed && knob.allowed[1], autocomplete: "off" });
      const read = () => (kind === "choice" ? box.value : kind === "pair" ? pair(box.value) : box.value === "" ? null : Number(box.value));
      box.addEventListener("change", () => { const value = read(); if (value === null) draw(); else wish(name, value); });
      let slider = null, quiet = 0;
      const run = knob.slider && scale({ ...knob.slider, whole: kind === "whole" });
      if (run) {
        slider = h("input", { type: "range", min: 0, max: run.last, step: 1, "aria-label": label });
        const moved = () => { box.value = run.from(Number(slider.value)); slider.setAttribute("aria-valuetext", box.value); };
        slider.addEventListener("input", () => { clearTimeout(quiet); moved(); element.classList.add("gan-moving"); });
        slider.addEventListener("change", () => { moved(); clearTimeout(quiet); quiet = setTimeout(() => { element.classList.remove("gan-moving"); wish(name, Number(box.value)); }, QUIET_MS); });
      }
      const element = h("div", { class: "gan-knob", "data-knob": name, title: t(`fields.${name}.help`) },
        h("label", { for: id }, label), box, slider, h("div", { class: "gan-start" }, was, back));
      function put(enabled) {
        for (const input of [box, slider]) if (input) input.disabled = !enabled;
        const waits = name in pending, now = inForce(name), start = (store.config || {})[name], value = waits ? pending[name] : now;
        element.classList.toggle("gan-waits", waits);
        element.classList.toggle("gan-changed", now !== undefined && !same(now, start));
        say(was, waits ? t("knobs.waiting") : same(now, start) ? "" : t("knobs.was", { value: shown(start) }));
        back.hidden = waits || same(now, start) || !enabled;
        if (value === undefined || element.classList.contains("gan-moving")) return;
        if (document.activeElement !== box || waits || refused.delete(name)) box.value = kind === "pair" ? value.join("; ") : value;
        if (slider) {
          slider.value = run.to(value);
          slider.setAttribute("aria-valuetext", String(value));
        }
      }
      rows.push({ name, put, element });
      return element;
    }
    const boxes = groups.map(({ group, knobs }, i) => h("details", { class: "gan-fold", open: i === 0 },
      h("summary", {}, t(`settings.group_${group}`)), ...knobs.map(row)));
    root.append(note, ...boxes, logTitle, log);

    function draw() {
      const { status, kind, config } = store, state = status ? status.state : "none";
      const enabled = kind === "run" && ["running", "paused"].includes(state) && store.connection === "open";
      for (const name of Object.keys(pending)) if (!(name in waiting) && same(pending[name], inForce(name))) delete pending[name];
      for (const { put } of rows) put(enabled && Boolean(config));
      for (const box of boxes) box.classList.toggle("gan-changed", Boolean(box.querySelector(".gan-changed")));
      root.classList.toggle("gan-off", !enabled);
      say(note, t(enabled ? "knobs.help" : kind === "run" && state === "starting" ? "knobs.starting" : "knobs.off"));
      for (const box of boxes) box.hidden = !config;
      const marks = (store.marks || []).slice(-LOGGED).reverse(), now = marks.map((mark) => `${mark.step} ${JSON.stringify(mark.changes)}`).join();
      logTitle.hidden = !marks.length;
      if (log.dataset.now === now) return;
      log.dataset.now = now;
      log.replaceChildren(...marks.map((mark) => h("li", {}, h("span", { class: "gan-mute" }, t("marks.at", { step: number(mark.step) })), ...told(mark).map((line) => h("div", {}, line)))));
    }
    on("snapshot", () => { for (const map of [pending, waiting]) for (const name of Object.keys(map)) delete map[name]; draw(); }, root);
    on("status marks connection", draw, root);
    draw();
  };
})();
