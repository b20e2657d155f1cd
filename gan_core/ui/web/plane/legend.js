// The list beside the plane: what each layer is, and a switch for it.
import { h, setAttribute } from "../dom.js";
import { recall, remember } from "../storage.js";
import { t } from "../words.js";
import { riseAlong } from "./arrows.js";

const LAYERS = /** @type {const} */ (["real", "fakes", "opinion", "arrows", "grid"]); // as listed

/**
 * `shown`: which layers are switched on, remembered by the browser.
 * @param {() => void} changed
 */
export function layerLegend(changed) {
  const shown = /** @type {Record<LAYERS[number], boolean>} */ (
    Object.fromEntries(LAYERS.map((name) => [name, recall(`gan.layer.${name}`) !== "0"])));
  const element = h("fieldset", { class: "gan-layers" }, h("legend", { class: "gan-hidden" }, t("plane.layers")),
    ...LAYERS.map((name) => {
      const box = h("input", { type: "checkbox", id: `layer-${name}`, "aria-describedby": `about-${name}` });
      box.checked = shown[name];
      box.addEventListener("change", () => {
        shown[name] = box.checked;
        remember(`gan.layer.${name}`, box.checked ? "1" : "0");
        changed();
      });
      const mark = { class: `gan-mark ${name}`, "aria-hidden": "true" };
      return h("div", { class: "gan-layer", "data-layer": name }, box, h("i", mark),
        h("label", { for: box.id }, t(`plane.${name}`)),
        h("span", { id: `about-${name}`, class: "gan-about" }, t(`plane.${name}.help`)));
    }));
  /** Older frames have arrows with a scale of their own. @param {Stream.Points} frame */
  const explainArrows = ({ full_arrow, longest_arrow }) => {
    const line = element.querySelector("[data-layer=arrows]"), known = full_arrow && longest_arrow;
    if (line) setAttribute(line, "title", known ? t("plane.arrow_scale", riseAlong(full_arrow, longest_arrow)) : null);
  };
  return { element, shown, explainArrows };
}
