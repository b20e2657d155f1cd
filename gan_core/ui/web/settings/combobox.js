// Gradio's list opens when it is given the focus, and after Escape it keeps the focus: a click would open nothing.

export function watchComboboxes() {
  addEventListener("pointerdown", ({ target }) => {
    const box = /** @type {HTMLElement} */ (target);
    if (box.role === "combobox" && box === document.activeElement && box.ariaExpanded === "false") box.blur();
  }, true);
}
