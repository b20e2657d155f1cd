// Whether each picture has its verdict under it, and the verdicts of the grid on the page.
import { recall, remember } from "../storage.js";
import { emit } from "../store.js";

let shown = recall("gan.verdicts") === "1";

export const verdictsShown = () => shown;

export function toggleVerdicts() {
  shown = !shown;
  remember("gan.verdicts", shown ? "1" : "0");
  emit("verdicts-shown");
}
