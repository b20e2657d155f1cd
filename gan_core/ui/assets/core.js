// What every part of the page shares: words, colours, small helpers, one store, and the mounting of parts.
// Runs in the head, before gradio boots. It draws nothing and opens no connection.
(() => {
  "use strict";
  const remember = (key, value) => {
    try { // storage may be forbidden, as in some embedded frames; then nothing is remembered
      if (value === undefined) return localStorage.getItem(key);
      if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, value);
    } catch { /* forgotten */ }
    return null;
  };

  // Language: the button's choice, else the browser's. Gradio's own words follow navigator.language, so it is told first.
  const words = window.GAN_WORDS;
  const wish = remember("gan.language") || navigator.language || "en";
  const lang = wish.toLowerCase().startsWith("fr") ? "fr" : "en";
  Object.defineProperty(navigator, "language", { get: () => lang, configurable: true });
  Object.defineProperty(navigator, "languages", { get: () => [lang], configurable: true });
  document.documentElement.lang = lang;
  // Gradio writes its own idea of the language there while it boots.
  new MutationObserver(() => { if (document.documentElement.lang !== lang) document.documentElement.lang = lang; })
    .observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });

  const t = (key, values = {}) => {
    const sentence = words[lang][key] ?? words.en[key] ?? key;
    return sentence.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
  };

  // Colours: the button's choice, else gradio's own query parameter, else the system's.
  const system = matchMedia("(prefers-color-scheme: dark)");
  const asked = new URLSearchParams(location.search).get("__theme");
  const isDark = () => {
    const choice = remember("gan.theme") || (asked === "dark" || asked === "light" ? asked : "");
    return choice ? choice === "dark" : system.matches;
  };
  function paint() {
    const dark = isDark();
    const changed = document.documentElement.dataset.colours !== (dark ? "dark" : "light");
    document.documentElement.dataset.colours = dark ? "dark" : "light";
    if (document.body && document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
    if (changed) emit("colours");
  }
  system.addEventListener("change", paint);

  // The store: the last snapshot with everything that came after it. Only stream.js writes to it.
  const store = { connection: "connecting", run: null, status: null, controls: {}, worker: "none", silent: 0, series: null,
                  data: "images", frame: null, real: null, about: null, latent: null, history: [], active: null, pending: "",
                  quality: [], floor: null, marks: [] };
  const listeners = [];
  function on(names, fn, element = null) {
    listeners.push({ names: names.split(" "), fn, element });
  }
  function emit(name, detail) {
    for (let i = listeners.length - 1; i >= 0; i--) { // parts that gradio has thrown away stop listening
      if (listeners[i].element && !listeners[i].element.isConnected) listeners.splice(i, 1);
    }
    for (const { names, fn } of [...listeners]) {
      if (!names.includes(name)) continue;
      try { fn(detail); } catch (error) { console.error(`gan: ${name}`, error); }
    }
  }

  // Parts: gradio mounts its components late and may mount them again, so every new container is filled when it appears.
  const parts = {};
  const mounted = new WeakSet();
  function mountAll() {
    for (const element of document.querySelectorAll("[data-gan]")) {
      const fill = parts[element.dataset.gan];
      if (!fill || mounted.has(element)) continue;
      mounted.add(element);
      element.replaceChildren();
      fill(element);
    }
    emit("page");
  }
  let queued = false;
  const observe = () => new MutationObserver(() => {
    if (queued) return;
    queued = true;
    queueMicrotask(() => { queued = false; paint(); mountAll(); });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });

  function h(tag, props = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(props)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }
  const say = (element, sentence) => { if (element.textContent !== sentence) element.textContent = sentence; };

  // A switch between faces of a card: one of a few words is pressed. choices: [[key, text]]; pick(key) at once and at each change.
  function segments(label, choices, chosen, pick) {
    const buttons = choices.map(([key, text]) => h("button", { type: "button", class: "gan-seg", "data-key": key, onclick: () => set(key) }, text));
    function set(key) {
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.key === key));
      pick(key);
    }
    set(chosen);
    return h("div", { class: "gan-segments", role: "group", "aria-label": label }, ...buttons);
  }
  // A config field as it is in force now: as tuned, else as the run began.
  const inForce = (name) => {
    const tuned = (store.status && store.status.tuned) || {};
    return name in tuned ? tuned[name] : (store.config || {})[name];
  };

  // A picture is decoded before it takes the old one's place: there is no moment without one.
  async function swap(old, src, alt) {
    const fresh = new Image();
    fresh.src = src;
    await fresh.decode();
    if (!old.parentNode) return old;
    for (const { name, value } of old.attributes) if (name !== "src" && name !== "alt") fresh.setAttribute(name, value);
    fresh.alt = alt;
    fresh.hidden = false;
    old.replaceWith(fresh);
    return fresh;
  }
  // The largest whole multiple of native pixels, counted in the screen's own pixels, that fits; never below 1.
  const fit = (space, native) => {
    const ratio = window.devicePixelRatio || 1;
    return Math.max(1, Math.floor((space * ratio) / native)) * native / ratio;
  };

  const number = new Intl.NumberFormat(lang === "fr" ? "fr-FR" : "en-US", { maximumFractionDigits: 0 });
  const decimal = (n, digits) => n.toLocaleString(lang === "fr" ? "fr-FR" : "en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const short = (n) => n.toLocaleString(lang === "fr" ? "fr-FR" : "en-US", { maximumSignificantDigits: 3 });
  const percent = (p) => String(Math.round(Math.min(1, Math.max(0, p)) * 100));
  const url = (path, query = {}) => {
    const address = new URL(`gradio_api/gan/${path}`, document.baseURI);
    for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
    return address.href;
  };
  const last = (list) => { // the newest value that is there
    for (let i = (list || []).length - 1; i >= 0; i--) if (list[i] !== null && Number.isFinite(list[i])) return list[i];
    return null;
  };

  let shownAt = 0;
  const playground = {
    state: "loading", step: 0, frames: 0, sliderLatencyMs: null, run: null,
    get lastFrameAgeMs() { return shownAt ? performance.now() - shownAt : null; },
  };
  const frameShown = () => { playground.frames += 1; shownAt = performance.now(); };

  window.ganPlayground = playground;
  window.gan = { words, lang, t, h, say, swap, fit, store, on, emit, parts, remember, isDark, paint, url, last, percent, decimal, short, segments, inForce,
                 number: (n) => number.format(n), playground, frameShown };
  paint();
  observe();
  document.addEventListener("DOMContentLoaded", mountAll);
})();
