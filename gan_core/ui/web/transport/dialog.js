// The dialogs before what cannot be undone.
import { h } from "../dom.js";
import { t } from "../words.js";

/**
 * Asks, one question at a time.
 * @param {string} title
 * @param {string} sentence
 * @param {string[]} labels of the choices, the first is the primary button
 * @param {HTMLElement | null} [content] shown between the sentence and the buttons
 * @returns {Promise<number>} which one was chosen, -1 for none of them
 */
export function ask(title, sentence, labels, content = null) {
  return isDialogOpen() ? Promise.resolve(-1) : new Promise((resolve) => open([title, sentence, content], labels, resolve));
}

/** @param {[string, string, HTMLElement | null]} text @param {string[]} labels @param {(choice: number) => void} answer */
function open([title, sentence, content], labels, answer) {
  const box = h("dialog", { class: "gan-dialog", "aria-labelledby": "gan-dialog-title" });
  const close = (choice = -1) => {
    box.close();
    box.remove();
    answer(choice);
  };
  const buttons = labels.map((label, i) =>
    h("button", { type: "button", class: i ? "gan-btn" : "gan-btn gan-primary", onclick: () => close(i) }, label));
  box.append(h("h2", { id: "gan-dialog-title" }, title), h("p", {}, sentence), content ?? "",
    h("div", { class: "gan-row" }, ...buttons,
      h("button", { type: "button", class: "gan-btn", onclick: () => close() }, t("dialog.cancel"))));
  box.addEventListener("cancel", () => close());
  box.addEventListener("click", (event) => { if (event.target === box) close(); });
  (document.querySelector(".gradio-container") || document.body).append(box);
  box.showModal();
  buttons[0].focus();
}

export const isDialogOpen = () => document.querySelector("dialog[open]") !== null;
