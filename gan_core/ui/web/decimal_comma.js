// A comma typed or pasted into a number box is a decimal comma. Browsers drop it without a word: 0,0005 becomes 5.
import { plainNumber } from "./lib/decimal.js";

const WHOLE = ".gan-whole, [data-whole]"; // boxes of whole numbers, or around them

export function watchDecimalCommas() {
  document.addEventListener("beforeinput", (event) => {
    const box = event.target, text = event.data;
    if (!(box instanceof HTMLInputElement) || box.type !== "number" || !text || /^[\d.e+-]*$/i.test(text)) return;
    event.preventDefault();
    document.execCommand("insertText", false, plainNumber(text, Boolean(box.closest(WHOLE)))); // as typed: it can be undone
  }, true);
}
