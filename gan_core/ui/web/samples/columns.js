// The names over the columns of a sample grid, where its columns are classes.
import { h } from "../dom.js";
import { store } from "../store.js";

export class ClassColumns {
  element = h("div", { class: "gan-columns", hidden: true });
  #names = "";

  /**
   * True if they have come or gone, which leaves the grid another room.
   * @param {number} columns of the grid that is shown; 0: no grid
   */
  show(columns) {
    const names = (store.config?.condition === "class" && store.about?.names) || [];
    const each = names.length > 1 ? columns / names.length : 0; // a whole number, or the grid is not by class
    const hidden = !(each >= 1 && Number.isInteger(each)), changed = this.element.hidden !== hidden;
    this.element.hidden = hidden;
    if (!hidden && this.#names !== names.join()) {
      this.#names = names.join();
      this.element.replaceChildren(...names.map((name) => h("span", { title: name }, name)));
    }
    return changed;
  }
}
