// Presentation mode: what a class reads from its last row, and nothing else. Here is only whether it is on, and that the address
// says so. All parts of the page stay where and what they are; styles/present.css shows some of them, larger.
import { h } from "./dom.js";
import { emit, on } from "./store.js";
import { isDialogOpen } from "./transport/dialog.js";
import { keyOf, withKey } from "./transport/keys.js";
import { t } from "./words.js";

const NAME = "show", VALUE = "present"; // in the address, and the attribute of the root that boot.js sets first
const root = document.documentElement;

const isPresenting = () => root.dataset.show === VALUE;

/** A step of the browser's history each time, so that *Back* leads back. */
function toggle() {
  const url = new URL(location.href);
  if (isPresenting()) url.searchParams.delete(NAME); else url.searchParams.set(NAME, VALUE);
  history.pushState(history.state, "", url);
  followAddress();
}

function followAddress() {
  const shown = new URL(location.href).searchParams.get(NAME) === VALUE;
  if (shown === isPresenting()) return;
  if (shown) root.dataset.show = VALUE; else delete root.dataset.show;
  if (shown) openTrainView();
  emit("present");
}

/** Where training is seen. A presentation shows nothing else, and the tabs are out of sight. */
export function openTrainView() {
  if (document.getElementById("gan-train")?.checkVisibility()) return;
  /** @type {HTMLElement | null} */ (document.querySelector(".tab-container [role=tab]"))?.click();
}

/** @param {AbortSignal} signal */
export function presentButton(signal) {
  const press = (/** @type {MouseEvent} */ { detail }) => {
    if (detail > 0) button.blur(); // after the mouse the keys are the page's again
    toggle();
  };
  const button = h("button", { type: "button", id: "gan-present", class: "gan-btn", onclick: press },
    h("i", { "aria-hidden": "true" }));
  const draw = () => {
    button.title = isPresenting() ? t("bar.present_leave") : withKey(t("bar.present"), keyOf(button.id));
    button.setAttribute("aria-label", button.title);
  };
  on("present keys", draw, signal);
  draw();
  return button;
}

export function watchPresentation() {
  addEventListener("popstate", followAddress);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isPresenting() && !event.defaultPrevented && !isDialogOpen()) toggle();
  });
}
