// The dialogs: before what cannot be undone, and the list of keys. The safe button has the focus.
import { h } from "../dom.js";
import { t } from "../words.js";

/** @type {Record<string, number>} */
const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/**
 * Asks, one question at a time.
 * @param {string} title
 * @param {string} sentence
 * @param {string[]} labels of the choices, the first is the primary button
 * @param {HTMLElement | null} [content] shown between the sentence and the buttons
 * @returns {Promise<number>} which one was chosen, -1 for none of them
 */
export const ask = (title, sentence, labels, content = null) =>
  openDialog(title, [h("p", {}, sentence), ...(content ? [content] : [])], t("dialog.cancel"), labels);

/**
 * @param {string} title
 * @param {HTMLElement[]} content
 * @param {string} safe label of the button that only closes: a key that was meant for the page does nothing but that
 * @param {string[]} labels of the choices
 * @returns {Promise<number>} which one was chosen, -1 for none of them
 */
export function openDialog(title, content, safe, labels = []) {
  return isDialogOpen() ? Promise.resolve(-1) : new Promise((resolve) => open(title, content, safe, labels, resolve));
}

/**
 * @param {string} title @param {HTMLElement[]} content @param {string} safe @param {string[]} labels
 * @param {(choice: number) => void} answer
 */
function open(title, content, safe, labels, answer) {
  const box = h("dialog", { class: "gan-dialog", "aria-labelledby": "gan-dialog-title" });
  const close = (choice = -1) => {
    box.close(); // gives the focus back to what had it before
    box.remove();
    answer(choice);
  };
  const buttons = [safe, ...labels].map((label, i) => h("button", { type: "button",
    class: i === 1 ? "gan-btn gan-primary" : "gan-btn", onclick: () => close(i - 1) }, label));
  const row = h("div", { class: "gan-row" }, ...buttons);
  row.addEventListener("keydown", (event) => {
    const move = MOVES[event.key], place = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (!move || place < 0) return;
    event.preventDefault();
    buttons[(place + move + buttons.length) % buttons.length].focus();
  });
  box.append(h("h2", { id: "gan-dialog-title" }, title), ...content, row);
  box.addEventListener("cancel", (event) => {
    event.preventDefault(); // `close` closes it
    close();
  });
  box.addEventListener("click", (event) => { if (event.target === box) close(); });
  (document.querySelector(".gradio-container") || document.body).append(box);
  box.showModal();
  buttons[0].focus();
}

export const isDialogOpen = () => document.querySelector("dialog[open]") !== null;
