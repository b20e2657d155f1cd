// What deleting an upload means, asked before it is done.
import { openDialog } from "../transport/dialog.js";

/** @param {string} question as the server writes it, JSON; "" where the upload may not be deleted */
export function askToDelete(question) {
  if (!question) return;
  const { name, title, text, go } = JSON.parse(question);
  window.ganPage.upload = name;
  openDialog(title, text, [{ label: go, button: "btn-delete-sure" }]);
}
