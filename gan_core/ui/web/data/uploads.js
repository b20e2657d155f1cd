// What deleting an upload means, asked before it is done.
import { control } from "../control.js";
import { ask } from "../transport/dialog.js";

/**
 * The name of the upload once it is deleted, "" where it stays.
 * @param {string} question as the server writes it, JSON; "" where the upload may not be deleted
 */
export async function askToDelete(question) {
  if (!question) return "";
  const { name, title, text, go } = JSON.parse(question); // by now another upload may stand in the list
  const deleted = (await ask(title, text, [go])) === 0 && (await control("delete-data", { name }));
  return deleted ? name : "";
}
