// What a run had done when it was taken back to its best: faint lines that leave today's where the run went back.
import { h, setText } from "../dom.js";
import { store } from "../store.js";
import { number, t } from "../words.js";

/** How such a line looks. */
export const GIVEN_UP = { line_alpha: 0.55, line_dash: { value: [5, 4] } };

/** The step that was the newest when the run went back. @param {Stream.GivenUp} past */
export const lastGivenUp = (past) =>
  Math.max(...[past.series.step.at(-1), past.quality.at(-1)?.step, past.marks.at(-1)?.step].map((step) => step ?? past.step));

/** "given up: 1,200 – 1,900", or "" where nothing was. */
export function givenUpSentence() {
  const past = store.given_up;
  return past ? t("curves.given_up", { from: number(past.step), to: number(lastGivenUp(past)) }) : "";
}

/** The legend's key to the faint lines, seen while there are any. */
export function givenUpKey() {
  const words = h("span"), key = h("span", { class: "gan-guess gan-ghost", title: t("curves.given_up_hint") }, h("i"), words);
  return {
    key,
    draw() {
      key.hidden = !store.given_up;
      setText(words, givenUpSentence());
    },
  };
}
