// Small helpers for elements. They know no run.

/**
 * An element: props named on... listen, true sets an empty attribute, false, null and undefined set none.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child);
  return element;
}

/** @type {WeakMap<Element, string>} what was written, which a browser's translation may have replaced since */
const written = new WeakMap();

/** Writes only what is new: each write is a mutation that wakes observers. @param {Element} element @param {string} text */
export function setText(element, text) {
  if ((written.get(element) ?? element.textContent) !== text) element.textContent = text;
  written.set(element, text);
}

/**
 * A text that moves while a run trains. A browser that translates the page leaves it alone: its translation would come too late.
 * @param {HTMLElement} element @param {string} text
 */
export function setLive(element, text) {
  if (element.translate) element.translate = false;
  setText(element, text);
}

/** null removes it. @param {Element} element @param {string} name @param {string | null} value */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name); else element.setAttribute(name, value);
}

/** @param {string} label @param {() => void} onclick @param {Record<string, any>} [props] */
export const smallButton = (label, onclick, props = {}) =>
  h("button", { type: "button", class: "gan-btn gan-small", onclick, ...props }, label);

/**
 * A native button by its id, which gradio puts on the button or on a box around it.
 * @param {string} id
 * @returns {HTMLButtonElement | null}
 */
export function nativeButton(id) {
  const found = document.getElementById(id);
  return found instanceof HTMLButtonElement || !found ? found : found.querySelector("button");
}

/**
 * Writes a label of gradio's in place: the text stays gradio's, and no translation takes its place.
 * @param {HTMLElement} element @param {string} label
 */
export function relabel(element, label) {
  if (element.translate) element.translate = false;
  const text = [...element.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.nodeValue?.trim());
  if (text && text.nodeValue?.trim() !== label) text.nodeValue = label;
}

/**
 * Writes into one of gradio's text boxes as a person would: gradio learns of it by the event.
 * @param {string} id @param {string} text
 */
export function fillBox(id, text) {
  const box = /** @type {HTMLInputElement | null} */ (document.querySelector(`#${id} :is(input, textarea)`));
  if (!box) return;
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * A switch: one of a few words is pressed.
 * @param {string} label
 * @param {[key: string, text: string][]} choices
 * @param {string} chosen
 * @param {(key: string) => void} pick called for each press, not for the first choice
 */
export function segments(label, choices, chosen, pick) {
  const group = h("div", { class: "gan-segments", role: "group", "aria-label": label }, ...choices.map(([key, text]) =>
    h("button", { type: "button", class: "gan-seg", "data-key": key, onclick: () => {
      pressSegment(group, key);
      pick(key);
    } }, text)));
  pressSegment(group, chosen);
  return group;
}

/** Which word of a switch is pressed. @param {HTMLElement} group @param {string} chosen */
export function pressSegment(group, chosen) {
  for (const button of group.querySelectorAll("button")) {
    setAttribute(button, "aria-pressed", String(button.dataset.key === chosen));
  }
}

/**
 * A picture is decoded before it takes the old one's place: there is no moment without one.
 * @param {HTMLImageElement} old
 * @param {string} src
 * @param {string} alt
 */
export async function swapImage(old, src, alt) {
  const fresh = new Image();
  fresh.src = src;
  await fresh.decode();
  if (!old.parentNode) return old;
  for (const { name, value } of old.attributes) if (name !== "src" && name !== "alt") fresh.setAttribute(name, value);
  fresh.alt = alt;
  fresh.hidden = false;
  old.replaceWith(fresh);
  return fresh;
}

/** A custom property of the page's colours, as in tokens.css. @param {string} name */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const pixelRatio = () => window.devicePixelRatio || 1;
/** Below this width the page is one column, as high as its parts. */
export const stacked = matchMedia("(max-width: 759.9px)");
