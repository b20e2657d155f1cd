// The keyboard: space, S, R, P, where nothing else on the page wants the key.
import { nativeButton } from "../dom.js";
import { placedButtons } from "./buttons.js";
import { isDialogOpen } from "./dialog.js";

const TAKEN = "input, textarea, select, button, a, summary, dialog, [contenteditable], "
  + "[role=slider], [role=tab], [role=listbox], [role=option], [role=button]";
/** @type {Record<string, () => string>} key -> id of its button */
const KEYS = { " ": () => placedButtons()[0], s: () => "btn-step", r: () => "btn-reset",
  p: () => "gan-present" };

export function watchKeyboard() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
    if (/** @type {Element} */ (event.target).closest?.(TAKEN) || isDialogOpen()) return;
    const id = KEYS[event.key.toLowerCase()]?.(), button = id ? nativeButton(id) : null;
    if (!button?.offsetParent) return; // another tab is open
    event.preventDefault();
    if (!button.disabled) button.click();
  });
}
