// The single keys of the page, each with the buttons that it presses, and the choice to do without them (WCAG 2.1.4), which this
// browser remembers. A new key is one entry in KEYS with its sentence `keys.NAME`; the list of keys and the hints follow.
import { recall, remember } from "../storage.js";
import { emit } from "../store.js";
import { t } from "../words.js";

const STORED = "gan.keys";

/**
 * @typedef {object} Key
 * @property {string} key as the browser names it, in small letters
 * @property {string} name of its sentence
 * @property {string[]} buttons ids; of several the one that has the first place
 */

/** @type {Key[]} */
export const KEYS = [
  { key: " ", name: "train", buttons: ["btn-start", "btn-pause", "btn-resume"] },
  { key: "s", name: "step", buttons: ["btn-step"] },
  { key: "r", name: "reset", buttons: ["btn-reset"] },
  { key: "p", name: "present", buttons: ["gan-present"] },
];

let inUse = recall(STORED) !== "0";

export const areKeysOn = () => inUse;

/** @param {boolean} on */
export function useKeys(on) {
  inUse = on;
  remember(STORED, on ? null : "0");
  emit("keys");
}

/** @param {string} key */
export const written = (key) => (key === " " ? t("keys.space") : key.toUpperCase());

/** The key that presses a button now, or "". @param {string} id */
export const keyOf = (id) => (inUse && KEYS.find(({ buttons }) => buttons.includes(id))?.key) || "";

/** What a button does, with its key where that is in use. @param {string} sentence @param {string} key or "" */
export const withKey = (sentence, key) => (key ? t("keys.hint", { sentence, key: written(key) }) : sentence);
