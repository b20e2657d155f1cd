// The card of charts with its two faces: losses, and the measures of quality.
import { h, segments, smallButton } from "../dom.js";
import { Quality } from "../quality/quality.js";
import { recall, remember } from "../storage.js";
import { on } from "../store.js";
import { t } from "../words.js";
import { Losses } from "./losses.js";

/** @type {import("../mount.js").Part} */
export function curves(root, signal) {
  const losses = new Losses(root, signal), quality = new Quality(root, signal);
  const card = h("div", { class: "gan-faces" });
  const first = recall("gan.face") === "quality" ? "quality" : "losses";
  const show = (/** @type {string} */ face) => {
    card.dataset.face = face;
    remember("gan.face", face);
  };
  const faces = segments(t("curves.faces"), [["losses", t("curves.losses")], ["quality", t("quality.title")]], first, show);
  show(first);
  faces.id = "curves-face";
  // Pressing it is a matter of transport/, which asks first.
  const restore = smallButton(t("transport.restore"), () => {}, { id: "btn-restore", disabled: true });
  card.append(
    h("div", { class: "gan-row gan-switch" }, faces, h("span", { class: "gan-space" }), losses.settings,
      h("div", { class: "gan-row", "data-of": "quality" }, restore)),
    losses.element, quality.element);
  root.append(card);
  on("metrics", () => losses.ask(), signal);
  on("quality status", () => quality.ask(), signal);
}
