// How far the data are: a sentence, a bar, a count, and a way to cancel.
import { h, setLive, smallButton } from "../dom.js";
import { percent } from "../lib/numbers.js";
import { t } from "../words.js";
import { progressCount, progressShare } from "./progress.js";
import { cancel } from "./request.js";

export class Work {
  #sentence = h("b");
  #count = h("span");
  #fill = h("i");
  #bar = h("div", { class: "gan-progress", role: "progressbar", "aria-label": t("data.begins"), "aria-valuemin": 0,
    "aria-valuemax": 100 }, this.#fill);
  element = h("div", { class: "gan-work", hidden: true },
    h("div", { class: "gan-row" }, this.#sentence, h("span", { class: "gan-space" }), smallButton(t("data.cancel"), cancel)),
    this.#bar, this.#count);

  /** @param {import("./request.js").Answer} answer one that is waiting or working */
  draw({ state, progress }) {
    setLive(this.#sentence, progress ? progressShare(progress) : t(state === "waiting" ? "data.waiting" : "data.begins"));
    setLive(this.#count, progress ? progressCount(progress) : "");
    const share = progress && progress.total > 0 ? percent(progress.done / progress.total) : null;
    this.#bar.classList.toggle("unknown", share === null);
    this.#fill.style.width = share === null ? "" : `${share}%`;
    if (share === null) this.#bar.removeAttribute("aria-valuenow"); else this.#bar.setAttribute("aria-valuenow", share);
  }
}
