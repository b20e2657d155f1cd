// The bar on top: state, step and facts of the shown run, the banner under it, language and colours.
(() => {
  "use strict";
  const { h, t, say, store, on, number, lang, remember, isDark, paint, parts } = window.gan;

  // What the pill says. The attribute data-state keeps the state's English name for programs; `look` decides the colour.
  function described() {
    const { status, connection, kind, worker, silent, pending } = store;
    if (connection === "gone") return { name: "gone", look: "failed", text: t("states.gone") };
    if (connection === "connecting" && !status) return { name: "loading", look: "wait", text: t("states.loading") };
    if (pending === "start" && !(status && status.progress) && (!status || !["running", "paused"].includes(status.state))) {
      return { name: status ? status.state : "none", look: "wait", text: t(worker === "warming" ? "states.warming" : "states.starting") };
    }
    if (!status) return { name: "none", look: "still", text: t(worker === "warming" ? "states.warming" : "states.none") };
    const name = status.state, active = ["starting", "running", "paused"].includes(name);
    if (active && silent > 3) return { name, look: "failed", text: t("states.silent", { n: Math.round(silent) }) };
    if (name === "starting" && status.restarting) return { name, look: "wait", text: t("states.restarting") };
    if (name === "starting" && status.progress) return { name, look: "wait", text: window.gan.far(status.progress) };
    if (name === "starting") return { name, look: "wait", text: t(worker === "warming" ? "states.warming" : "states.starting") };
    if (kind === "starter") return { name, look: "still", text: t("states.starter") };
    const look = { running: "run", paused: "paused", failed: "failed" }[name] || "still";
    return { name, look, text: t(`states.${name}`) };
  }

  let read = ""; // the run and the notice that were dismissed here; another one is shown again
  const ERRORS = ["diverged", "out_of_memory", "killed", "refused", "crashed"];
  function banner() {
    const { status, connection, silent, kind } = store;
    if (connection === "gone") return { look: "failed", text: t("banner.gone") };
    if (!status) return null;
    const active = ["starting", "running", "paused"].includes(status.state);
    if (status.state === "failed" && status.error) {
      const { kind, message, step, said } = status.error;
      const told = (said && said[lang]) || message;
      const reason = ["refused", "crashed"].includes(kind) && told ? told : t(`banner.${ERRORS.includes(kind) ? kind : "crashed"}`);
      const resume = store.controls.resume && status.checkpoint_step >= 0
        ? " " + t("banner.failed_resume", { step: number(status.checkpoint_step) }) : "";
      return { look: "failed", text: t("banner.failed", { step: number(step ?? status.step), message: reason }) + resume };
    }
    if (active && silent > 3) return { look: "wait", text: t("banner.silent", { n: Math.round(silent) }), stop: kind === "run" };
    if (status.state === "starting" && status.restarting) {
      const step = number(Math.max(0, status.checkpoint_step));
      return { look: "wait", text: t("banner.restarting", { n: number(status.processes), step }), stop: kind === "run" };
    }
    if (status.state === "starting" && status.progress) {
      const what = [window.gan.far(status.progress), window.gan.counted(status.progress)].filter(Boolean).join(", ");
      return { look: "wait", text: t("banner.loading", { what }), stop: kind === "run" };
    }
    if (kind === "reading") return { look: "wait", text: t("banner.reading") };
    if (kind === "remote") return { look: "wait", text: t("banner.remote", { origin: store.origin || "" }) };
    if (status.notice && read !== `${store.run} ${status.notice}`) {
      return { look: "wait", text: (status.noticed || {})[lang] || status.notice, dismiss: true };
    }
    return null;
  }

  function clock(seconds) {
    const s = Math.max(0, Math.floor(seconds || 0)), pad = (n) => String(n).padStart(2, "0");
    return s < 3600 ? `${pad(Math.floor(s / 60))}:${pad(s % 60)}` : `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
  }
  const PRECISIONS = ["fp32", "bf16"], FORMATS = ["channels_last", "contiguous"];
  const many = (threads) => (threads ? (threads === 1 ? t("bar.threads") : t("bar.threads_many", { n: threads })) : "");
  function machine({ device, precision, threads, exact }) {
    if (!device) return "";
    return [device === "cpu" ? "CPU" : device, precision, many(threads)].filter(Boolean).join(" · ") + (exact === false ? " *" : "");
  }
  // The same choices in words, one a line, for whoever points at them.
  function choices({ device, precision, memory_format, rewrites, exact }) {
    if (!device) return "";
    const lines = [t("bar.chosen")];
    if (PRECISIONS.includes(precision)) lines.push(t(`bar.precision_${precision}`));
    if (FORMATS.includes(memory_format)) lines.push(t(`bar.memory_${memory_format}`));
    if (typeof rewrites === "boolean") lines.push(t(rewrites ? "bar.rewrites_on" : "bar.rewrites_off"));
    if (exact === false) {
      const mark = (store.marks || []).find(({ kind }) => kind === "threads");
      lines.push(mark ? t("bar.inexact_since", { step: number(mark.step) }) : t("bar.inexact"));
    }
    return lines.join("\n");
  }

  parts.bar = (root) => {
    const word = h("span"), step = h("b", { id: "run-step" }, "0");
    const pill = h("span", { id: "run-state", class: "gan-pill", role: "status", "data-state": "loading" }, h("i", { class: "gan-dot" }), word);
    const images = h("b", { class: "w7" }, "0"), speed = h("b", { class: "w5" }, "0"), elapsed = h("b", { class: "w5" }, "00:00");
    const facts = h("span", { class: "gan-machine" });
    const sentence = h("span"), native = () => document.getElementById("btn-stop"); // gradio's, out of sight
    const stop = h("button", { type: "button", class: "gan-btn gan-small", hidden: true, onclick: () => native().click() }, t("banner.stop"));
    const dismiss = h("button", { type: "button", class: "gan-btn gan-small", hidden: true, onclick: () => {
      read = `${store.run} ${store.status.notice}`;
      draw();
    } }, t("banner.dismiss"));
    const notice = h("div", { class: "gan-banner", role: "status", hidden: true }, sentence, stop, dismiss);
    const toggle = h("button", { type: "button", class: "gan-btn gan-icon", onclick: () => {
      remember("gan.theme", isDark() ? "light" : "dark");
      paint();
    } }, h("i", { class: "gan-half", "aria-hidden": "true" }));
    const language = h("button", { type: "button", class: "gan-btn", id: "gan-language", title: t("bar.language"), lang: lang === "fr" ? "en" : "fr",
      onclick: () => { remember("gan.language", lang === "fr" ? "en" : "fr"); location.reload(); } }, t("bar.language_other"));
    root.append(
      h("div", { class: "gan-bar" },
        h("h1", {}, t("bar.title")), pill,
        h("div", { class: "gan-facts", role: "group", "aria-label": t("bar.facts") },
          h("span", {}, t("bar.step"), " ", step), h("span", { class: "gan-2nd" }, t("bar.images"), " ", images),
          h("span", {}, speed, " ", t("bar.speed")), h("span", { title: t("bar.elapsed") }, elapsed), facts),
        h("span", { class: "gan-space" }), h("div", { class: "gan-row" }, toggle, language)),
      notice);

    function draw() {
      const { name, look, text } = described(), status = store.status || {};
      pill.dataset.state = name;
      pill.dataset.look = look;
      say(word, text);
      say(step, number(status.step || 0));
      say(images, number(status.images || 0));
      say(speed, number(["running", "paused"].includes(status.state) ? status.speed || 0 : 0));
      say(elapsed, clock(status.elapsed));
      say(facts, machine(status));
      const said = choices(status);
      if (facts.title !== said) facts.title = said;
      document.documentElement.dataset.look = look;
      const shown = banner();
      notice.hidden = !shown;
      notice.dataset.look = shown ? shown.look : "";
      say(sentence, shown ? shown.text : "");
      stop.hidden = !(shown && shown.stop && native());
      dismiss.hidden = !(shown && shown.dismiss);
    }
    function colours() {
      const wish = t(isDark() ? "bar.theme_light" : "bar.theme_dark");
      toggle.title = wish;
      toggle.setAttribute("aria-label", wish);
    }
    on("snapshot status connection pending page marks", draw, root);
    on("colours", colours, root);
    draw();
    colours();
  };
})();
