// What stands in the data panel, by the kind of data, and the fold over the form of pictures.
import { h, setText } from "../dom.js";
import { scrollToChosenPreset } from "../settings/presets.js";
import { t } from "../words.js";
import { formValues, hasForm } from "./request.js";

const GRADIO_MS = 300; // gradio draws a choice a little later

export class Panel {
  #opened = false; // most never change size, colour and number, and the line above says what they come to
  #preset = "";
  #specs;
  door = h("button", { type: "button", class: "gan-door", id: "data-form-door", "aria-controls": "gan-data-form", onclick: () => {
    this.#opened = !this.#opened;
    this.#drawFold();
  } });

  /** @param {{ groups: Record<string, string>, points: string[] }} specs group of each data set; which of them are points */
  constructor(specs) {
    this.#specs = specs;
    this.#drawFold();
  }

  draw() {
    const card = document.getElementById("gan-data"), { kind, upload } = formValues();
    if (!card || !hasForm()) return;
    if (card.dataset.kind !== kind) card.dataset.kind = kind;
    card.classList.toggle("points", this.#specs.points.includes(kind));
    card.classList.toggle("chosen", Boolean(upload));
    this.#drawFold();
  }

  /** Show the preset that came along with the data. */
  reveal() {
    const { preset } = formValues();
    if (this.#preset === preset) return;
    this.#preset = preset;
    setTimeout(scrollToChosenPreset, GRADIO_MS);
  }

  #drawFold() {
    this.door.setAttribute("aria-expanded", String(this.#opened));
    setText(this.door, t(this.#specs.groups[formValues().kind] === "own" ? "data.form_own" : "data.form"));
    document.getElementById("gan-data")?.classList.toggle("folded", !this.#opened);
  }
}
