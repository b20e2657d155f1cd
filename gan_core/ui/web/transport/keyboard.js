// The keyboard: the single keys of keys.js, where nothing else on the page wants the key.
import { nativeButton } from "../dom.js";
import { isDialogOpen } from "./dialog.js";
import { areKeysOn, KEYS } from "./keys.js";

const TYPED = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, dialog, [contenteditable], "
  + "[role=listbox], [role=option]";
const PRESSED = "button, a, summary, input:not([type=range]), [role=tab], [role=button]"; // by the space bar

/** @type {Element | null} the control that a mouse has given the focus: no ring is around it, and the space bar is the page's */
let pointed = null;

/** Whether the control that has the focus wants the key. @param {Element} target @param {string} key */
function wants(target, key) {
  if (target.closest?.(TYPED)) return true;
  return key === " " && target !== pointed && Boolean(target.closest?.(PRESSED));
}

export function watchKeyboard() {
  addEventListener("focusin", () => { pointed = null; });
  const point = () => { pointed = document.activeElement; };
  addEventListener("click", ({ detail }) => {
    if (!detail) return;
    point(); // at once: a key may come before the timer
    setTimeout(point); // again, where the click moves the focus
  }, true);
  addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.key === "Enter" || event.key.startsWith("Arrow")) pointed = null; // by keys from here on
    const key = event.key.toLowerCase(), entry = KEYS.find((one) => one.key === key);
    if (!entry || !areKeysOn() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isDialogOpen() || wants(/** @type {Element} */ (event.target), key)) return;
    const button = entry.buttons.map(nativeButton).find((one) => one?.offsetParent && one.dataset.place !== "second");
    if (!button) return; // another tab is open
    event.preventDefault(); // also of a key that is held: the page must not scroll
    if (!event.repeat && !button.disabled) button.click();
  });
  // The space bar presses a button when it is let go.
  addEventListener("keyup", (event) => {
    if (event.key === " " && areKeysOn() && !isDialogOpen() && !wants(/** @type {Element} */ (event.target), " ")) {
      event.preventDefault();
    }
  });
}
