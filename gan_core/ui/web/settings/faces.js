// The switch of the settings card: the next run, or the run that trains now.
import { formConfig, formValues } from "../data/request.js";
import { h, nativeButton, segments, setText } from "../dom.js";
import { differs } from "../lib/config.js";
import { isIn, isSteered, on, store } from "../store.js";
import { t } from "../words.js";

let arrived = false; // whether the first snapshot has been looked at

/** @type {import("../mount.js").Part} */
export function faces(root, signal) {
  const show = (/** @type {string} */ face) => {
    const card = /** @type {HTMLElement | null} */ (root.closest("#gan-settings"));
    if (!card) return;
    card.dataset.face = face;
    card.scrollTop = 0;
  };
  const bar = segments(t("knobs.faces"), [["next", t("knobs.next")], ["now", t("knobs.now")]], "next", show);
  show("next");
  const now = /** @type {HTMLButtonElement} */ (bar.lastElementChild);
  bar.id = "settings-face";
  // While a run is at work, a form that holds other settings has its Start here, which asks first, as Reset does.
  const begin = h("button", { type: "button", class: "gan-btn gan-primary", id: "btn-begin", hidden: true,
    onclick: () => nativeButton("btn-reset")?.click() });
  root.append(bar, begin);

  function offer() {
    const chosen = /** @type {HTMLInputElement | null} */ (document.querySelector("#preset input:checked"))?.value ?? "";
    const other = Boolean(chosen) && chosen !== store.preset;
    const own = formValues().preset === chosen && differs(formConfig(), store.config); // not yet the answer to another preset
    begin.hidden = !(other || own) || !store.controls.reset || !isIn("running", "paused");
    setText(begin, other ? t("knobs.begin", { name: t(`presets.${chosen}.name`) }) : t("knobs.begin_these"));
  }

  /** A visitor who comes while a run is at work sees that run's data and knobs, not a form that nobody has filled in. */
  function arrive() {
    if (arrived || store.connection !== "open" || !store.status) return;
    arrived = true;
    if (isSteered() && isIn("starting", "running", "paused")) now.click();
  }
  /** How many knobs stand otherwise than the shown run began with. */
  function count() {
    const many = Object.keys(store.status?.tuned || {}).length;
    setText(now, many ? t("knobs.now_many", { n: many }) : t("knobs.now"));
  }
  on("snapshot", arrive, signal);
  on("snapshot status", count, signal);
  on("page snapshot status preview", offer, signal);
  addEventListener("change", offer, { signal });
  arrive();
  count();
}
