// The knobs of the run that trains now: what is in force, from the stream, and the list of marks. The settings of the next run
// belong to the form.
import { markLines } from "../charts/marks.js";
import { h, setText } from "../dom.js";
import { isIn, isSteered, on, store } from "../store.js";
import { language, number, t } from "../words.js";
import { Knob } from "./knob.js";
import { confirmTuning, forgetTuning, onTuning } from "./tuning.js";

const LOGGED = 12; // marks in the list

/** @type {import("../mount.js").Part} */
export function knobs(root, signal) {
  /** @type {{ group: string, knobs: import("./knob.js").KnobSpec[] }[]} */
  const groups = JSON.parse(root.dataset.knobs ?? "{}")[language];
  /** @type {Knob[]} */
  const all = [];
  const note = h("p", { class: "gan-told", role: "status" }), log = markLog();
  const folds = groups.map(({ group, knobs: specs }, i) => {
    const some = specs.map((spec) => new Knob(spec));
    all.push(...some);
    return h("details", { class: "gan-fold", open: i === 0 },
      h("summary", {}, t(`settings.group_${group}`)), ...some.map(({ element }) => element));
  });
  root.append(note, ...folds, log.title, log.list);

  function draw() {
    const { config } = store, enabled = isSteered() && isIn("running", "paused") && store.connection === "open";
    confirmTuning();
    for (const knob of all) knob.draw(enabled && Boolean(config));
    for (const fold of folds) {
      fold.classList.toggle("gan-changed", Boolean(fold.querySelector(".gan-changed")));
      fold.hidden = !config;
    }
    root.classList.toggle("gan-off", !enabled);
    setText(note, t(enabled ? "knobs.help" : isSteered() && isIn("starting") ? "knobs.starting" : "knobs.off"));
    log.draw();
  }
  onTuning(draw);
  on("snapshot", () => { forgetTuning(); draw(); }, signal);
  on("status marks connection", draw, signal);
  draw();
}

function markLog() {
  let drawn = "";
  const title = h("h2", {}, t("marks.title")), list = h("ol", { class: "gan-log" });
  return {
    title,
    list,
    draw() {
      const marks = store.marks.slice(-LOGGED).reverse(), now = JSON.stringify(marks);
      title.hidden = !marks.length;
      if (drawn === now) return;
      drawn = now;
      list.replaceChildren(...marks.map((mark) => {
        const step = h("span", { class: "gan-mute" }, t("marks.at", { step: number(mark.step) }));
        return h("li", {}, step, ...markLines(mark).map((line) => h("div", {}, line)));
      }));
    },
  };
}
