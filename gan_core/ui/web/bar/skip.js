// The links at the page's start, seen while they have the focus: over settings and form to what one came for.
import { h } from "../dom.js";
import { focusOn } from "../focus.js";
import { t } from "../words.js";

/** Where each leads: to the first control there, or to the place itself. */
const PLACES = /** @type {const} */ ([["controls", "gan-transport"], ["fakes", "sample-grid"], ["sliders", "latent-sliders"],
  ["charts", "curves-face"]]);
const PATIENCE = 20; // frames until another view is drawn

export const skipLinks = () => h("nav", { class: "gan-skips", "aria-label": t("skip.label") }, ...PLACES.map(([name, id]) =>
  h("a", { href: `#${id}`, onclick: (/** @type {Event} */ event) => {
    event.preventDefault(); // the address stays
    go(id, PATIENCE);
  } }, t(`skip.${name}`))));

/** @param {string} id @param {number} frames to wait at most */
function go(id, frames) {
  const place = document.getElementById(id);
  if (!place || !frames) return;
  if (place.checkVisibility()) { focusOn(place); return; }
  const train = /** @type {HTMLElement | null} */ (document.querySelector("[role=tab]"));
  if (frames === PATIENCE) train?.click(); // the other view is open
  requestAnimationFrame(() => go(id, frames - 1));
}
