// The toast over a refusal that did not come by gradio: in the place and with the look of gradio's own, among which it stands.
import { h } from "./dom.js";
import { t } from "./words.js";

const SHOWN_MS = 8000; // as long as a refusal of gradio's, see forms/train_tab.py

/** @param {string} sentence @param {string} [title] */
export function showRefusal(sentence, title = t("errors.title")) {
  const close = h("button", { type: "button", class: "toast-close", "aria-label": t("banner.dismiss") }, "\u00d7");
  const toast = h("div", { class: "toast-body gan-toast", role: "status", "aria-live": "polite" },
    h("div", { class: "gan-row" }, h("i", { "aria-hidden": "true" }, "!"), h("b", {}, title), close), h("p", {}, sentence));
  close.addEventListener("click", () => toast.remove());
  setTimeout(() => toast.remove(), SHOWN_MS);
  document.querySelector(".gan-toast")?.remove(); // a second try that fails leaves one refusal on the screen, not two
  (document.querySelector(".toast-wrap") ?? document.body).append(toast);
}
