// Gradio's choices by keyboard. Its list opens when it is given the focus, and after Escape it keeps the focus: a click would
// open nothing. The open list scrolls, which makes it a stop of the tab key that closes it and leaves the focus nowhere. Its
// radio buttons have a name each: so many stops, where one choice is one, and the arrows choose.
import { setAttribute } from "../dom.js";
import { on } from "../store.js";

export function watchChoices() {
  addEventListener("pointerdown", ({ target }) => {
    const box = /** @type {HTMLElement} */ (target);
    if (box.role === "combobox" && box === document.activeElement && box.ariaExpanded === "false") box.blur();
  }, true);
  on("page", () => {
    for (const list of document.querySelectorAll(".options, [role=listbox]")) setAttribute(list, "tabindex", "-1");
    for (const one of document.querySelectorAll("fieldset[id] input[type=radio]")) {
      setAttribute(one, "name", `${one.closest("fieldset")?.id}-choice`);
    }
  });
}
