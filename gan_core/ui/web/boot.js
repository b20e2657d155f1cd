// The only script inside the page itself. It decides language and colours before gradio boots and before anything is drawn, asks
// for the modules, and creates window.ganPage, the one object that gradio's event snippets use; page.js says what it holds.
// web_files.py leaves out the lines that are only comments.
(() => {
  "use strict";
  const root = document.documentElement;
  const { assets = "", languages = "en", modules = "" } = /** @type {HTMLElement} */ (document.currentScript).dataset;

  /** Some frames forbid storage. @param {string} key */
  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

  // Language: the button's choice, else the browser's. Gradio reads navigator.language.
  const known = languages.split(" "), preferred = (recall("gan.language") || navigator.language || "").toLowerCase();
  const language = known.find((one) => preferred.startsWith(one)) || known[0];
  Object.defineProperty(navigator, "language", { get: () => language, configurable: true });
  Object.defineProperty(navigator, "languages", { get: () => [language], configurable: true });

  // Colours: the button's choice, else gradio's query parameter, else the system's. Where it forces its own, those only.
  const system = matchMedia("(prefers-color-scheme: dark)"), forced = matchMedia("(forced-colors: active)");
  const query = new URLSearchParams(location.search);
  function isDark() {
    if (forced.matches) return system.matches;
    const choice = recall("gan.theme") || ["dark", "light"].find((one) => one === query.get("__theme"));
    return choice ? choice === "dark" : system.matches;
  }
  function paint() {
    const dark = isDark(), colours = dark ? "dark" : "light";
    if (root.dataset.colours !== colours) root.dataset.colours = colours;
    if (document.body && document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
  }
  for (const one of [system, forced]) one.addEventListener("change", paint);

  // A presentation has its own styles from the first paint on; present.js turns it on and off later.
  if (query.get("show") === "present") root.dataset.show = "present";

  // Gradio writes its own language and colours while it boots; ours are put back at once.
  let watched = false;
  const observer = new MutationObserver(restore);
  function restore() {
    if (root.lang !== language) root.lang = language;
    paint();
    if (!document.body || watched) return;
    watched = true;
    observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }
  observer.observe(root, { attributes: true, attributeFilter: ["lang"], childList: true });
  restore();

  // All files are requested at once, however long the chain of their imports is, and behind those that gradio waits for.
  /** @param {string} name @param {Record<string, string>} properties */
  function preload(name, properties) {
    document.head.append(Object.assign(document.createElement("link"), properties, { href: assets + name }));
  }
  preload(`words.${language}.json`, { rel: "preload", as: "fetch", crossOrigin: "anonymous" });
  for (const name of modules.split(" ")) preload(name, { rel: "modulepreload", fetchPriority: "low" });

  /** @type {(calls: import("./page.js").Calls) => void} */
  let open = () => {};
  /** @type {Promise<import("./page.js").Calls>} */
  const calls = new Promise((resolve) => { open = resolve; });
  window.ganPage = { language, languages: known, run: "", isDark, paint, open,
    call: (name, ...values) => calls.then((functions) => functions[name](...values)) };
})();
