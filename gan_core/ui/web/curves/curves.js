// The card of charts with its two faces: losses, and the measures of quality.
import { h, pressSegment, segments, smallButton } from "../dom.js";
import { Quality } from "../quality/quality.js";
import { recall, remember } from "../storage.js";
import { on } from "../store.js";
import { t } from "../words.js";
import { Losses } from "./losses.js";

/** @type {import("../mount.js").Part} */
export function curves(root, signal) {
  const losses = new Losses(root, JSON.parse(root.dataset.curves ?? "{}"), signal), quality = new Quality(root, signal);
  const card = h("div", { class: "gan-faces" });
  card.dataset.single = recall("gan.single") === "beliefs" ? "beliefs" : "losses";
  const show = (/** @type {string} */ face) => {
    card.dataset.face = face;
    remember("gan.face", face);
    pressSegment(faces, face);
    pressSegment(singles, face === "quality" ? face : card.dataset.single ?? "");
  };
  const faces = segments(t("curves.faces"), [["losses", t("curves.losses")], ["quality", t("quality.title")]], "", show);
  faces.id = "curves-face";
  // In a presentation one chart is seen, and the first face has two.
  const words = /** @type {[string, string][]} */ (
    [["losses", t("curves.losses")], ["beliefs", t("curves.verdicts")], ["quality", t("quality.title")]]);
  const singles = segments(t("curves.faces"), words, "", (single) => {
    if (single !== "quality") remember("gan.single", card.dataset.single = single);
    show(single === "quality" ? single : "losses");
  });
  singles.id = "chart-shown";
  show(recall("gan.face") === "quality" ? "quality" : "losses");
  // Pressing it is a matter of transport/, which asks first.
  const restore = smallButton(t("transport.restore"), () => {}, { id: "btn-restore", disabled: true });
  card.append(
    h("div", { class: "gan-row gan-switch" }, faces, singles, h("span", { class: "gan-space" }), losses.settings,
      h("div", { class: "gan-row", "data-of": "quality" }, restore)),
    losses.element, quality.element);
  root.append(card);
  on("metrics", () => losses.ask(), signal);
  on("quality status", () => quality.ask(), signal);
}
