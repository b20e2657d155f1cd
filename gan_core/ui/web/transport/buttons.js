// The native buttons: enabled from the stream for every viewer, and what happens before a press goes to gradio.
// The server refuses illegal moves anyway; this only keeps a person from trying them.
import { control, prepare } from "../control.js";
import { nativeButton, relabel, setAttribute } from "../dom.js";
import { passOn } from "../focus.js";
import { chosenQuestion } from "../runs/buttons.js";
import { chooseRun } from "../storage.js";
import { emit, isIn, on, store } from "../store.js";
import { number, short, t } from "../words.js";
import { beforeAfter } from "./before_after.js";
import { ask } from "./dialog.js";
import { askToGoOn } from "./go_on.js";
import { askToResume, rivalOfShown } from "./instead.js";
import { keyOf, withKey } from "./keys.js";
import { forgetSteps, stepsOf } from "./steps.js";

/** @type {Record<string, string>} button -> the control that enables it */
const CONTROLS = { "btn-start": "start", "btn-pause": "pause", "btn-resume": "resume", "btn-step": "step", "btn-step-d": "step",
  "btn-step-g": "step", "btn-reset": "reset", "btn-save": "save", "btn-restore": "restore" };
const GOES_ON = ["btn-resume", "btn-step", "btn-step-d", "btn-step-g"];
const PLACED = ["start", "pause", "resume"]; // those that take each other's place

/** Which of the three are worth a place; the first is the primary button. */
export function placedButtons() {
  const { pause, resume, start } = store.controls;
  if (pause) return ["btn-pause"];
  if (resume && isIn("finished")) return ["btn-start", "btn-resume"];
  if (resume) return start ? ["btn-resume", "btn-start"] : ["btn-resume"];
  return [isIn("starting") ? "btn-pause" : "btn-start"];
}

function draw() {
  const placed = placedButtons(), reachable = store.connection === "open", row = document.getElementById("gan-transport");
  if (row) setAttribute(row, "role", "group");
  if (row) setAttribute(row, "aria-label", t("transport.label"));
  for (const [id, means] of Object.entries(CONTROLS)) {
    const button = nativeButton(id);
    if (!button) continue;
    const enabled = reachable && Boolean(store.controls[means]) && !(store.pending === "start" && means === "start");
    if (button.disabled === enabled) button.disabled = !enabled;
    setAttribute(button, "aria-disabled", String(!enabled));
    if (PLACED.includes(means)) putInPlace(button, placed.indexOf(id));
    hint(button, id);
    if (id === "btn-start") setAttribute(button, "data-note", store.worker === "warming" && enabled ? t("states.warming") : null);
    watch(button);
  }
}

/** @param {HTMLButtonElement} button @param {number} place among the placed ones, -1 where it has none */
function putInPlace(button, place) {
  setAttribute(button, "data-place", place < 0 ? "none" : place ? "second" : "first");
}

/**
 * What it is called where that changes, what a press does, and which key does the same.
 * @param {HTMLButtonElement} button @param {string} id
 */
function hint(button, id) {
  const name = id === "btn-resume" && isIn("finished") ? "go_on" : id.slice(4).replace("-", "_");
  if (id === "btn-resume") relabel(button, t(`transport.${name}`));
  const sentence = t(`transport.hint_${name}`), key = button.dataset.place === "second" ? "" : keyOf(id);
  setAttribute(button, "title", withKey(sentence, key));
  setAttribute(button, "aria-keyshortcuts", key ? key === " " ? "Space" : key.toUpperCase() : null);
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

/** The native button that a click is on, with its id. @param {MouseEvent} event */
function buttonOf(event) {
  const target = /** @type {Element} */ (event.target);
  const button = /** @type {HTMLButtonElement | null} */ (target.closest?.("button[id^=btn-], [id^=btn-] button"));
  return { button, id: button?.closest("[id^=btn-]")?.id };
}

/** @param {MouseEvent} event before gradio gets it */
function pressed(event) {
  const { button, id } = buttonOf(event);
  if (!button || !id) return;
  if (event.detail > 0) button.blur(); // after the mouse the keys are the page's again; a visitor who came by Tab keeps the focus
  const steps = stepsOf(id), question = questions[id]?.(), instead = question ?? steps;
  if (!steps) forgetSteps();
  if (instead) {
    event.stopImmediatePropagation();
    event.preventDefault();
  }
  if (button.disabled) return;
  if (!question && GOES_ON.includes(id)) emit("live"); // whoever presses wants to see what comes of it
  if (instead) instead(); else if (id === "btn-start") expectRun();
}

/**
 * What is asked instead of the press, by button; null where nothing needs to be asked.
 * @type {Record<string, () => (() => void) | null>}
 */
const questions = {
  "btn-reset": () => askToReset,
  "btn-restore": () => askToRestore,
  "btn-start": () => (store.active && store.active !== store.run ? askToTakeOver : null),
  "btn-resume": () => {
    const { run, status } = store;
    return askedToResume(run, rivalOfShown(), isIn("finished") ? { run, step: status?.step ?? 0 } : null);
  },
  "btn-resume-run": () => {
    const chosen = chosenQuestion();
    return chosen && askedToResume(chosen.run, chosen.rival, chosen.finished);
  },
};

/** @typedef {import("./go_on.js").Finished} Finished */
/** @param {string | null} run @param {import("./instead.js").Rival | null} rival @param {Finished | null} finished */
function askedToResume(run, rival, finished) {
  if (finished) return () => askToGoOn(finished, rival);
  return rival && (() => askToResume(run, rival));
}

async function askToReset() {
  prepare(); // while somebody reads the question
  const labels = [t("dialog.reset_go"), t("dialog.reset_paused")];
  const choice = await ask(t("dialog.reset_title"), t("dialog.reset_text"), labels);
  if (choice >= 0) beginRun(["btn-reset-confirm", "btn-reset-paused"][choice]);
}

async function askToTakeOver() {
  prepare();
  const choice = await ask(t("dialog.busy_title"), t("dialog.busy_text"), [t("dialog.busy_go")]);
  if (choice >= 0) beginRun("btn-start-force");
}

/** A new run needs the form, which only gradio sends: a native button out of sight does. @param {string} id */
function beginRun(id) {
  const native = nativeButton(id);
  if (!native) return;
  expectRun();
  native.click();
}

async function askToRestore() {
  const best = store.status?.best;
  if (!best) return;
  const step = number(best.step), values = { step, name: t(`measures.${best.name}`), value: short(best.value) };
  const rival = rivalOfShown(), go = t(rival ? "dialog.restore_instead_go" : "dialog.restore_go");
  const text = [t("dialog.restore_text", values), ...(rival ? [t("dialog.restore_instead", { name: rival.name })] : [])];
  if (rival) prepare();
  const choice = await ask(t("dialog.restore_title", { step }), text.join(" "), [go], beforeAfter(best));
  if (choice < 0) return;
  emit("live");
  control("restore", { step: best.step, instead_of: rival?.id ?? "" });
}

/** Who takes the place of the button that was pressed; nobody yet while the answer is on its way. */
const awaited = () => (store.pending ? [] : placedButtons());

export function watchButtons() {
  const titles = { "--not-done": t("errors.title"), "--not-saved": t("errors.not_saved_title") }; // by gradio.css
  for (const [name, title] of Object.entries(titles)) document.documentElement.style.setProperty(name, JSON.stringify(title));
  addEventListener("click", pressed, true);
  on("snapshot status connection page keys", draw);
  // The button that takes another's place takes its focus too; a button that is only disabled for a while gets it again.
  for (const [id, means] of Object.entries(CONTROLS)) {
    passOn(id, () => (PLACED.includes(means) ? awaited() : [id]).map(nativeButton));
  }
  passOn("btn-begin", () => awaited().map(nativeButton));
}
