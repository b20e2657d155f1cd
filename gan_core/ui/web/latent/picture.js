// The picture that the sliders drive, and the discriminator's verdict on it.
import { h, setLive, setText, swapImage } from "../dom.js";
import { verdictName } from "../lib/latent.js";
import { percent } from "../lib/numbers.js";
import { pair, t } from "../words.js";

const NATIVE = { width: 28, height: 28 }; // of most pictures, until one is there

export class DrivenPicture {
  #image = h("img", { id: "latent-image", class: "gan-driven", alt: "", ...NATIVE, hidden: true, draggable: "false" });
  #empty = h("p", { class: "gan-empty" }, t("empty.server"));
  #words = h("b");
  #share = h("span", { class: "gan-share" });
  #fill = h("i");
  #meter = h("div", { class: "gan-meter", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0,
    "aria-label": t("latent.expert_says") }, this.#fill);
  element = h("div", { class: "gan-drive" }, h("div", { class: "gan-frame" }, this.#image, this.#empty),
    h("div", { class: "gan-verdict" },
      h("span", { class: "gan-mute" }, t("latent.expert_says")), this.#words, this.#meter, this.#share));

  get isEmpty() {
    return this.#image.hidden;
  }

  /** @param {{ picture: Blob, verdict: number, point: number[] | null, before: number | null }} reply before: its verdict */
  async show({ picture, verdict, point, before }) {
    const source = URL.createObjectURL(picture), old = this.#image.src;
    this.#image = await swapImage(this.#image, source, t("latent.alt"));
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    this.#empty.hidden = true;
    this.#image.classList.toggle("gan-smooth", point !== null);
    if (!Number.isFinite(verdict)) return;
    const n = percent(verdict);
    const [from, now] = pair(100 * (before ?? verdict), 100 * verdict);
    const share = before === null ? t("latent.verdict", { n }) : t("latent.verdict_step", { before: from, n: now });
    this.#judge(t(`latent.says_${verdictName(verdict)}`), share, n);
  }

  /** A sentence that is read while there is no picture. @param {string} sentence */
  say(sentence) {
    setText(this.#empty, sentence);
  }

  /** @param {boolean} shown */
  showSentence(shown) {
    this.#empty.hidden = !shown;
  }

  clear() {
    this.#image.hidden = true;
    this.#empty.hidden = false;
    this.#judge("", "", "0");
  }

  /** @param {string} words @param {string} share @param {string} n percent */
  #judge(words, share, n) {
    setLive(this.#words, words);
    setLive(this.#share, share);
    this.#fill.style.width = `${n}%`;
    this.#meter.setAttribute("aria-valuenow", n);
  }
}
