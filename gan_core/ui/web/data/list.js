// The list of data sets. Gradio's knows no headings and no second words: attributes, which the style shows.
import { address } from "../address.js";
import { setAttribute } from "../dom.js";
import { number, t } from "../words.js";

/** @type {Set<string>} */
let ready = new Set();
/** @type {Record<string, number>} bytes of each that is downloaded once */
let downloads = {};

/** @param {string} kind */
export const isReady = (kind) => ready.has(kind);

/** Which sets are here already. */
export async function loadSets() {
  const reply = await fetch(address("data/sets")).catch(() => null);
  if (!reply?.ok) return;
  const sets = await reply.json();
  ready = new Set(sets.ready);
  downloads = sets.download;
}

/** @param {Record<string, string>} groups data set -> its group, in the list's order */
export function drawList(groups) {
  const names = Object.keys(groups);
  let before = "";
  for (const item of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#dataset li[data-index]"))) {
    const name = names[Number(item.dataset.index)], group = groups[name];
    setAttribute(item, "data-head", group === before ? "" : t(`data.group_${group}`));
    setAttribute(item, "data-note", noteOf(name));
    before = group;
  }
}

/** @param {string} name */
function noteOf(name) {
  if (ready.has(name)) return t("data.here");
  return downloads[name] ? t("data.once", { n: number(downloads[name] / 1e6) }) : "";
}
