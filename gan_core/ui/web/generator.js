// Which generator the pictures are of: as it is now, or the average of its weights. Paused and stepping one sees what a step
// did; while it trains the average is better to look at. The switch changes the one of the two that applies.
import { emit, isIn, on, store } from "./store.js";

/** @typedef {"now" | "average"} GeneratorName */

/** @type {{ paused: GeneratorName, going: GeneratorName }} */
const chosen = { paused: "now", going: "average" };
const situation = () => (isIn("paused") ? "paused" : "going");
/** @type {GeneratorName} */
let told = "average";

/** Whether there are two: with half-life 0, and in runs of older versions, there is one only. */
export const hasBoth = () => Boolean(store.frame?.now);

/** @returns {GeneratorName} */
export const generatorShown = () => (hasBoth() ? chosen[situation()] : "average");

/** @param {GeneratorName} name */
export function chooseGenerator(name) {
  chosen[situation()] = name;
  tell();
}

function tell() {
  if (generatorShown() === told) return;
  told = generatorShown();
  emit("generator");
}

on("snapshot status frame", tell);
