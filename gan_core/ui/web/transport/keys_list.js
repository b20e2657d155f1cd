// The list of keys, in a dialog, with the switch of the single ones.
import { h } from "../dom.js";
import { t } from "../words.js";
import { openDialog } from "./dialog.js";
import { areKeysOn, KEYS, useKeys, written } from "./keys.js";

const ALWAYS = ["tab", "press", "arrows", "rename", "zero", "escape"]; // those of the controls, which nobody needs to switch off

/** The button that opens it. */
export function keysButton() {
  const title = t("keys.title"), look = { id: "btn-keys", class: "gan-btn gan-icon", title, "aria-label": title };
  return h("button", { type: "button", ...look, "aria-haspopup": "dialog", onclick: show },
    h("i", { class: "gan-keyboard", "aria-hidden": "true" }));
}

function show() {
  const single = list(KEYS.map(({ key, name }) => [written(key), t(`keys.${name}`)]));
  const box = h("input", { type: "checkbox", id: "keys-on", "aria-describedby": "keys-help" });
  const draw = () => single.classList.toggle("gan-out", !areKeysOn());
  box.checked = areKeysOn();
  box.addEventListener("change", () => {
    useKeys(box.checked);
    draw();
  });
  draw();
  openDialog(t("keys.title"), [
    h("label", { class: "gan-row gan-use" }, box, t("keys.use")),
    h("p", { id: "keys-help", class: "gan-told" }, t("keys.use_help")),
    single, h("h3", {}, t("keys.always")), list(ALWAYS.map((name) => [t(`keys.${name}_key`), t(`keys.${name}`)]))],
  t("keys.close"));
}

/** @param {[key: string, does: string][]} entries */
const list = (entries) => h("dl", { class: "gan-keys" },
  ...entries.flatMap(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)]));
