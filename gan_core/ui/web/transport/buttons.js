// The native buttons: enabled from the stream for every viewer, and what happens before a press goes to gradio.
// The server refuses illegal moves anyway; this only keeps a person from trying them.
import { nativeButton, setAttribute } from "../dom.js";
import { chooseRun } from "../storage.js";
import { emit, isIn, on, store } from "../store.js";
import { number, short, t } from "../words.js";
import { openDialog } from "./dialog.js";

/** @type {Record<string, string>} button -> the control that enables it */
const CONTROLS = { "btn-start": "start", "btn-pause": "pause", "btn-resume": "resume", "btn-step": "step", "btn-step-d": "step",
  "btn-step-g": "step", "btn-reset": "reset", "btn-save": "save", "btn-restore": "restore" };
const PLACED = ["start", "pause", "resume"]; // those that take each other's place

/** Which of the three are worth a place; the first is the primary button. */
export function placedButtons() {
  const { pause, resume, start } = store.controls;
  if (pause) return ["btn-pause"];
  if (resume) return start ? ["btn-resume", "btn-start"] : ["btn-resume"];
  return [isIn("starting") ? "btn-pause" : "btn-start"];
}

function draw() {
  const placed = placedButtons(), reachable = store.connection === "open";
  for (const [id, control] of Object.entries(CONTROLS)) {
    const button = nativeButton(id);
    if (!button) continue;
    const enabled = reachable && Boolean(store.controls[control]) && !(store.pending === "start" && control === "start");
    if (button.disabled === enabled) button.disabled = !enabled;
    setAttribute(button, "aria-disabled", String(!enabled));
    setAttribute(button, "title", t(`transport.hint_${id.slice(4).replace("-", "_")}`));
    if (PLACED.includes(control)) {
      const place = placed.indexOf(id);
      setAttribute(button, "data-place", place < 0 ? "none" : place ? "second" : "first");
    }
    if (id === "btn-start") setAttribute(button, "data-note", store.worker === "warming" && enabled ? t("states.warming") : null);
    watch(button);
  }
}

/** @type {WeakSet<HTMLButtonElement>} */
const watched = new WeakSet();
/** Gradio renders its buttons again now and then, with its own idea of "disabled". @param {HTMLButtonElement} button */
function watch(button) {
  if (watched.has(button)) return;
  watched.add(button);
  new MutationObserver(draw).observe(button, { attributes: true, attributeFilter: ["disabled", "class", "data-place"] });
}

/** A new run in this browser: it is the one to look at from now on. */
function expectRun() {
  chooseRun(null);
  store.pending = "start";
  emit("pending");
  draw();
}

/** @param {MouseEvent} event before gradio gets it */
function pressed(event) {
  const target = /** @type {Element} */ (event.target);
  const button = /** @type {HTMLButtonElement | null} */ (target.closest?.("button[id^=btn-], [id^=btn-] button"));
  const id = button?.closest("[id^=btn-]")?.id;
  if (!button || !id) return;
  if (event.detail > 0) button.blur(); // after the mouse the keys are the page's again; a visitor who came by Tab keeps the focus
  const question = questions[id]?.();
  if (question) {
    event.stopImmediatePropagation();
    event.preventDefault();
    if (!button.disabled) question();
  } else if (id === "btn-start" && !button.disabled) expectRun();
}

/**
 * What is asked instead of the press, by button; null where nothing needs to be asked.
 * @type {Record<string, () => (() => void) | null>}
 */
const questions = {
  "btn-reset": () => askToReset,
  "btn-restore": () => askToRestore,
  "btn-start": () => (store.active && store.active !== store.run ? askToTakeOver : null),
};

function askToReset() {
  openDialog(t("dialog.reset_title"), t("dialog.reset_text"), [
    { label: t("dialog.reset_go"), button: "btn-reset-confirm", before: expectRun },
    { label: t("dialog.reset_paused"), button: "btn-reset-paused", before: expectRun }]);
}

function askToTakeOver() {
  const go = { label: t("dialog.busy_go"), button: "btn-start-force", before: expectRun };
  openDialog(t("dialog.busy_title"), t("dialog.busy_text"), [go]);
}

function askToRestore() {
  const best = store.status?.best;
  if (!best) return;
  const step = number(best.step), values = { step, name: t(`measures.${best.name}`), value: short(best.value) };
  openDialog(t("dialog.restore_title", { step }), t("dialog.restore_text", values),
    [{ label: t("dialog.restore_go"), button: "btn-restore-confirm" }]);
}

export function watchButtons() {
  document.documentElement.style.setProperty("--not-done", JSON.stringify(t("errors.title"))); // over a refusal, by gradio.css
  addEventListener("click", pressed, true);
  on("snapshot status connection page", draw);
}
