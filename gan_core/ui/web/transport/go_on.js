// A run that has finished goes on: for how much longer is asked first.
import { control, prepare } from "../control.js";
import { h } from "../dom.js";
import { openTrainView } from "../present.js";
import { showRun } from "../stream.js";
import { number, t } from "../words.js";
import { ask } from "./dialog.js";

const UNITS = ["steps", "minutes"];

/** @typedef {{ run: string | null, step: number }} Finished a run that has finished, and where */

/** @typedef {import("./instead.js").Rival} Rival */
/** @param {Finished} finished @param {Rival | null} rival the run that would be stopped for it */
export async function askToGoOn({ run, step }, rival) {
  prepare(); // while somebody reads the question
  const amount = new Amount(step), text = [t("dialog.go_on_text", { step: number(step) })];
  if (rival) text.push(t("dialog.restore_instead", { name: rival.name }));
  const labels = [t("dialog.go_on_go"), t("dialog.go_on_open")];
  const choice = await ask(t("dialog.go_on_title"), text.join(" "), labels, amount.element);
  if (choice < 0) return;
  const longer = choice === 0 ? amount.value : { steps: 0, minutes: 0 };
  if (!await control("resume", { run, instead_of: rival?.id ?? "", ...longer })) return;
  showRun(run);
  openTrainView();
}

/** A number box and its unit. It begins with as many steps again as the run has made. */
class Amount {
  #number = h("input", { type: "number", min: "1", step: "any", inputmode: "decimal", id: "gan-longer",
    "aria-label": t("dialog.go_on_title"), onkeydown: (/** @type {KeyboardEvent} */ event) => {
      const primary = event.key === "Enter" && this.element.parentElement?.querySelector(".gan-primary");
      if (primary instanceof HTMLElement) primary.click();
    } });
  #unit = h("select", { id: "gan-longer-unit", "aria-label": t("dialog.go_on_unit") },
    ...UNITS.map((unit) => h("option", { value: unit }, t(unit === "steps" ? "dialog.go_on_steps" : "dialog.go_on_minutes"))));
  element = h("div", { class: "gan-row gan-longer" }, this.#number, this.#unit);

  /** @param {number} steps */
  constructor(steps) {
    this.#number.value = String(Math.max(1, steps));
    this.#unit.addEventListener("change", () => {
      this.#number.value = this.#unit.value === "steps" ? String(Math.max(1, steps)) : "5";
    });
  }

  /** As the server takes it, which refuses in words what is no such number; 0 would be no end, for which there is a button. */
  get value() {
    const given = Number(this.#number.value);
    return { [this.#unit.value]: given === 0 ? this.#number.value : given };
  }
}
