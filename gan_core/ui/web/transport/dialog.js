// The dialogs before what cannot be undone.
import { h, nativeButton } from "../dom.js";
import { t } from "../words.js";

/**
 * @typedef {object} Choice
 * @property {string} label
 * @property {string} button id of the native button to press
 * @property {() => void} [before] called before it is pressed
 */

/** One at a time. @param {string} title @param {string} sentence @param {Choice[]} choices the first is the primary button */
export function openDialog(title, sentence, choices) {
  if (isDialogOpen()) return;
  const box = h("dialog", { class: "gan-dialog", "aria-labelledby": "gan-dialog-title" });
  const close = () => {
    box.close();
    box.remove();
  };
  const buttons = choices.map(({ label, button, before }, i) =>
    h("button", { type: "button", class: i ? "gan-btn" : "gan-btn gan-primary", onclick: () => {
      close();
      const native = nativeButton(button);
      if (!native) return;
      before?.();
      native.click();
    } }, label));
  box.append(h("h2", { id: "gan-dialog-title" }, title), h("p", {}, sentence),
    h("div", { class: "gan-row" }, ...buttons,
      h("button", { type: "button", class: "gan-btn", onclick: close }, t("dialog.cancel"))));
  box.addEventListener("cancel", () => box.remove());
  box.addEventListener("click", (event) => { if (event.target === box) close(); });
  (document.querySelector(".gradio-container") || document.body).append(box);
  box.showModal();
  buttons[0].focus();
}

export const isDialogOpen = () => document.querySelector("dialog[open]") !== null;
