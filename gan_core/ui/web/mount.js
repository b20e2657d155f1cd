// Parts of the page: <gan-part data-gan="name"> is filled by the module of that name whenever gradio puts it into the page.
import { emit } from "./store.js";

/** @typedef {(root: HTMLElement, signal: AbortSignal) => void} Part fills `root`; the signal ends what it has begun */

/** @type {Record<string, Part>} */
let parts = {};

class GanPart extends HTMLElement {
  /** @type {AbortController | null} */
  #life = null;

  connectedCallback() {
    if (this.#life) return; // gradio has only moved it
    this.#life = new AbortController();
    this.replaceChildren();
    parts[this.dataset.gan || ""]?.(this, this.#life.signal);
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#life?.abort();
      this.#life = null;
    });
  }
}

/** @param {Record<string, Part>} all by name */
export function mountParts(all) {
  parts = all;
  customElements.define("gan-part", GanPart);
}

/** "page" is emitted after gradio has changed the page: its components come late and may come again. */
export function watchPage() {
  let queued = false;
  new MutationObserver(() => {
    if (queued) return;
    queued = true;
    queueMicrotask(() => { queued = false; emit("page"); });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
  new MutationObserver(() => emit("colours"))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["data-colours"] });
}
