// The choices of the form over a change of language, which loads the page anew: gradio then fills the form as it was built.
import { keepOnce, takeOnce } from "../storage.js";
import { keepStride } from "../transport/steps.js";
import { keepStrokes } from "./pad.js";
import { formInputs } from "./request.js";

const KEY = "gan.form";
const AS_IT_IS = { __type__: "update" }; // to gradio

/** Called before the page is left. */
export function keepForm() {
  const form = formInputs();
  if (form) keepOnce(KEY, form);
  keepStrokes();
  keepStride();
}

/**
 * What gradio is to put into its inputs: the preset that the values are of, all of the form's, and the upload, whose list the
 * server has to read first.
 * @param {number} count of these inputs
 */
export function keptForm(count) {
  const form = takeOnce(KEY);
  if (!Array.isArray(form) || form.length !== count - 2) return Array(count).fill(AS_IT_IS);
  const [preset, kind, categories, folder, upload, ...rest] = form;
  return [preset, preset, kind, categories, folder, AS_IT_IS, ...rest, (kind === "zip" && upload) || ""];
}
