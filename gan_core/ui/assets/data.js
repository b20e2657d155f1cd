// The choice of data: says what the form wishes for, and shows what comes of it: progress, 16 pictures or the points, what was
// left out, or one sentence. The form itself is gradio's; this writes no value of it.
(() => {
  "use strict";
  const { h, t, say, swap, fit, url, on, emit, lang, number, decimal, percent, parts, plane, words, store } = window.gan;
  const SETTLE_MS = 250, ASK_MS = 300, AGAIN_MS = 1500; // after the last change; while it is made ready; after a lost answer
  const HOLD_MS = 350; // so long the old picture stays: what is quicker shows no progress at all
  const STRIP = 224, PLANE = 108; // CSS pixels
  const who = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  // How far something is, in few words: {stage, done, total}. In the second, what has been done of what.
  const stage = (progress) => (["downloading", "reading", "fitting"].includes(progress.stage) ? progress.stage : "reading");
  function far(progress) {
    const { done, total } = progress, name = stage(progress);
    return total > 0 ? t(`data.${name}`, { n: percent(done / total) }) : t(`data.${name}_some`);
  }
  function counted(progress) {
    const { done, total } = progress, bytes = stage(progress) === "downloading";
    const said = (n) => (bytes ? decimal(n / 1e6, 1) : number(n));
    if (!done && !total) return "";
    return t(`data.${total > 0 ? "of" : "some"}_${bytes ? "bytes" : "pictures"}`, { done: said(done), total: said(total) });
  }
  // What is known of data, in a sentence or two: "5,000 pictures, 28 × 28, grey" and their classes; what was left out and why.
  function facts({ count, shape }) {
    if (shape.length === 1) return t("data.facts_points", { n: number(count) });
    return t(count === 1 ? "data.facts_one" : "data.facts", { n: number(count), wide: shape[2], high: shape[1], color: t(shape[0] === 1 ? "data.grey" : "data.color") });
  }
  function classes({ names }, most = Infinity) {
    if (!names || names.length < 2) return "";
    const some = names.slice(0, most).join(", ");
    return t("data.classes", { n: number(names.length), names: names.length > most ? `${some}, …` : some });
  }
  function leftOut({ skipped }) {
    const all = Object.entries(skipped || {}).filter(([, n]) => n > 0);
    if (!all.length) return "";
    const reason = ([name, n]) => (`skipped.${name}` in words.en ? t(`skipped.${name}`, { n: number(n) }) : `${number(n)} ${name}`);
    return t("data.left_out", { n: number(all.reduce((sum, [, n]) => sum + n, 0)), reasons: all.map(reason).join(", ") });
  }
  // A data set as people call it: "digits" by its words, one's own by the name it came with.
  function called(dataset) {
    const [name, ...rest] = String(dataset || "").split(":"), argument = rest.join(":");
    const own = { zip: () => argument.replace(/-[^-]*$/, ""), folder: () => argument.split(/[\\/]/).filter(Boolean).pop(), quickdraw: () => argument.split(",").join(", ") };
    return (name in own && argument && own[name]()) || t(`settings.dataset.${name}`);
  }
  Object.assign(window.gan, { far, counted, facts, called });

  let form = null, round = 0, soon = 0, told = { state: "none" }, show = () => {};
  const panel = () => document.getElementById("gan-data");
  const kind = () => (form ? form[1] : "");

  // What the form holds now, in its own order: the preset, the data set's kind, and what follows.
  window.gan.wish = (values) => {
    form = values;
    dress();
    reveal();
    clearTimeout(soon);
    soon = setTimeout(() => send(), told.state === "none" ? 0 : SETTLE_MS);
  };
  async function post(more, options = {}) {
    const reply = await fetch(url("data"), { method: "POST", body: JSON.stringify({ who, lang, ...more }),
      headers: { "Content-Type": "application/json", "X-Gan-Page": "1" }, ...options });
    return reply.json();
  }
  async function send(look = false) { // the newest question counts, whichever answer comes last
    const mine = ++round;
    clearTimeout(soon);
    try {
      const answer = await post({ values: form, look });
      if (mine !== round) return;
      told = answer;
      if (answer.state === "none") soon = setTimeout(() => send(), ASK_MS); // the server has begun anew
      else if (["waiting", "working"].includes(answer.state)) soon = setTimeout(() => send(true), ASK_MS);
      if (answer.state === "ready" && !look_up.here.has(kind())) look_up();
    } catch {
      if (mine !== round) return;
      told = { state: "away" };
      soon = setTimeout(() => send(look), AGAIN_MS);
    }
    show(told);
  }
  async function leave() {
    round += 1;
    clearTimeout(soon);
    told = { state: "cancelled" };
    show(told);
    await post({ leave: true }).catch(() => null);
  }
  addEventListener("pagehide", () => { if (form) post({ leave: true }, { keepalive: true }).catch(() => null); });
  addEventListener("pageshow", (event) => { if (event.persisted && form) send(); });

  // Which sets are here already: said in the list.
  async function look_up() {
    const reply = await fetch(url("data/sets")).catch(() => null);
    if (!reply || !reply.ok) return;
    const { ready, download } = await reply.json();
    look_up.here = new Set(ready);
    look_up.once = download; // bytes of each
    heads();
  }
  look_up.here = new Set();
  look_up.once = {};

  // A preset that came along with the data is scrolled to inside its own list, never by moving the page.
  let chosen = "";
  function reveal() {
    if (!form || chosen === form[0]) return;
    chosen = form[0];
    setTimeout(() => {
      const label = document.querySelector("#preset input:checked")?.closest("label"), list = label && document.getElementById("preset");
      if (!list || list.scrollHeight <= list.clientHeight) return;
      const box = label.getBoundingClientRect(), frame = list.getBoundingClientRect();
      if (box.top < frame.top + 24 || box.bottom > frame.bottom) list.scrollTop += box.top - frame.top - 48;
    }, 300); // gradio draws the choice a little later
  }

  let about = { groups: {}, points: [] };
  function dress() { // what stands in the panel, by the kind of data
    const card = panel();
    if (!card || !form) return;
    if (card.dataset.kind !== kind()) card.dataset.kind = kind();
    card.classList.toggle("points", about.points.includes(kind()));
    card.classList.toggle("chosen", Boolean(form[4])); // one of the uploads
    fold();
  }
  // What deleting an upload means, as the server says it; "" where it may not be deleted.
  window.gan.sure = (said) => {
    if (!said) return;
    const { name, title, text, go } = JSON.parse(said);
    window.gan.doomed = name;
    window.gan.dialog(title, text, [go, "btn-delete-sure", true]);
  };
  // Size, colour and number are folded away: most never change them, and the line above says what they come to.
  let opened = false;
  const door = h("button", { type: "button", class: "gan-door", id: "data-form-door", "aria-controls": "gan-data-form",
    onclick: () => { opened = !opened; fold(); } });
  function fold() {
    door.setAttribute("aria-expanded", String(opened));
    say(door, t(about.groups[kind()] === "own" ? "data.form_own" : "data.form"));
    const card = panel();
    if (card) card.classList.toggle("folded", !opened);
  }
  // Gradio's list knows no headings and no second words: attributes, which the style shows.
  function heads() {
    const names = Object.keys(about.groups);
    let before = "";
    for (const item of document.querySelectorAll("#dataset li[data-index]")) {
      const name = names[Number(item.dataset.index)], group = about.groups[name];
      const head = group !== before ? t(`data.group_${group}`) : "";
      const note = look_up.here.has(name) ? t("data.here") : look_up.once[name] ? t("data.once", { n: number(look_up.once[name] / 1e6) }) : "";
      if ((item.dataset.head || "") !== head) item.dataset.head = head;
      if ((item.dataset.note || "") !== note) item.dataset.note = note;
      before = group;
    }
  }
  on("page", () => { dress(); heads(); });
  on("snapshot", () => { if (form && told.state === "refused") send(true); }); // Start tries again what was refused, and may get it

  parts.look = (root) => {
    about = JSON.parse(root.dataset.look);
    document.documentElement.style.setProperty("--drop", JSON.stringify(t("data.drop"))); // read by data.css
    const canvas = h("canvas", { role: "img", "aria-label": t("data.alt_points"), hidden: true });
    let image = h("img", { alt: "", hidden: true, draggable: "false" });
    const stand = h("b"), count = h("span"), fill = h("i");
    const bar = h("div", { class: "gan-progress", role: "progressbar", "aria-label": t("data.begins"), "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
    const cancel = h("button", { type: "button", class: "gan-btn gan-small", onclick: leave }, t("data.cancel"));
    const work = h("div", { class: "gan-work", hidden: true }, h("div", { class: "gan-row" }, stand, h("span", { class: "gan-space" }), cancel), bar, count);
    const hint = h("p", { class: "gan-empty", hidden: true });
    const again = h("button", { type: "button", class: "gan-btn gan-small", hidden: true, onclick: () => send() }, t("data.again"));
    const box = h("div", { class: "gan-lookbox", id: "data-preview" }, image, canvas, work, hint);
    const sentence = h("p", { class: "gan-look-facts", role: "status", id: "data-facts" });
    const misfit = h("p", { class: "gan-misfit", role: "alert", id: "data-misfit", hidden: true });
    root.append(box, sentence, again, misfit, door);

    const only = (...shown) => { for (const one of [image, canvas, work, hint, again]) one.hidden = !shown.includes(one); };
    let drawn = null;
    function size() {
      // Few pictures are no larger than eight in a row are.
      const wide = image.naturalWidth || STRIP, row = Math.max(wide, drawn ? 8 * (drawn.about.shape[2] || 0) : 0);
      const times = Math.min(fit(box.clientWidth - 4, row), box.clientWidth - 4) / row;
      image.style.width = `${Math.min(times * wide, box.clientWidth - 4)}px`;
      image.style.height = "auto";
    }
    new ResizeObserver(size).observe(box);
    let hold = 0;
    function tell(first, ...more) {
      sentence.replaceChildren(...(first ? [first, " "] : []), more.filter(Boolean).join(". "));
      sentence.title = sentence.textContent;
    }
    const real = () => h("b", { class: "r" }, t("samples.real"));
    function working({ state, progress }) {
      if (work.hidden && !hold) hold = setTimeout(() => { hold = 0; if (["waiting", "working"].includes(told.state)) { only(work); tell(""); } }, HOLD_MS);
      const known = progress && progress.total > 0;
      say(stand, progress ? far(progress) : t(state === "waiting" ? "data.waiting" : "data.begins"));
      say(count, progress ? counted(progress) : "");
      bar.classList.toggle("unknown", !known);
      fill.style.width = known ? `${percent(progress.done / progress.total)}%` : "";
      if (known) bar.setAttribute("aria-valuenow", percent(progress.done / progress.total)); else bar.removeAttribute("aria-valuenow");
    }
    async function ready(answer) {
      const { preview, about: found } = answer;
      drawn = answer;
      if (preview.points) {
        plane.strip(canvas, PLANE, preview);
        only(canvas);
      } else {
        image = await swap(image, preview, t("data.alt"));
        if (drawn !== answer || told !== answer) return; // something else is wished for by now
        only(image);
        size();
      }
      const more = [facts(found), classes(found, 8), leftOut(found)];
      tell(real(), ...more);
      sentence.title = [facts(found), classes(found), leftOut(found)].filter(Boolean).join(". ");
    }
    show = (answer) => {
      const { state } = answer, busy = ["waiting", "working"].includes(state);
      box.dataset.state = state;
      misfit.hidden = !answer.misfit;
      say(misfit, answer.misfit || "");
      if (busy) { working(answer); return; }
      clearTimeout(hold);
      hold = 0;
      if (state === "ready") { ready(answer); return; }
      drawn = null;
      if (state === "open") { say(hint, answer.sentence); only(hint); tell(""); return; }
      only(...(["refused", "cancelled"].includes(state) ? [again] : []));
      tell("", state === "refused" ? answer.sentence : t(state === "cancelled" ? "data.cancelled" : state === "away" ? "data.away" : "data.begins"));
    };
    on("colours", () => { if (drawn && drawn.preview.points) plane.strip(canvas, PLANE, drawn.preview); }, root);
    show(told);
    dress();
    look_up();
  };
})();
