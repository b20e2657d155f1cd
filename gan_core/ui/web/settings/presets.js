// The headings between the presets. Gradio's radio group knows none: the first card of each group carries its heading as an
// attribute, which the style shows.
import { on } from "../store.js";
import { t } from "../words.js";

/** @type {import("../mount.js").Part} */
export function presets(root, signal) {
  /** @type {Record<string, string>} preset -> its group */
  const groups = JSON.parse(root.dataset.presets ?? "{}");
  function draw() {
    let before = "";
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#preset input"))) {
      const group = groups[input.value] || before, label = input.closest("label");
      if (!label) continue;
      const heading = group && group !== before ? t(`presets.group_${group}`) : "", text = label.textContent.trim();
      if (heading && label.dataset.head !== heading) label.dataset.head = heading;
      if (!heading && label.dataset.head) delete label.dataset.head;
      if (label.title !== text) label.title = text;
      before = group;
    }
  }
  on("page snapshot", draw, signal);
  draw();
}

/** A preset that came along with the data is scrolled to inside its own list or its card, never by moving the page. */
export function scrollToChosenPreset() {
  const label = document.querySelector("#preset input:checked")?.closest("label");
  const frames = ["preset", "gan-settings"].map((id) => document.getElementById(id));
  const frame = frames.find((one) => one && one.scrollHeight > one.clientHeight && getComputedStyle(one).overflowY !== "visible");
  if (!label || !frame) return;
  const box = label.getBoundingClientRect(), { top, bottom } = frame.getBoundingClientRect();
  if (box.top < top + 24 || box.bottom > bottom) frame.scrollTop += box.top - top - 48;
}
