// The native buttons: enabled from the stream for every viewer, the dialogs before what cannot be undone, the keyboard.
// The server refuses illegal moves anyway; this only keeps a person from trying them.
(() => {
  "use strict";
  const { h, t, store, on, emit, number, short } = window.gan;
  const CONTROL = { "btn-start": "start", "btn-pause": "pause", "btn-resume": "resume", "btn-step": "step", "btn-step-d": "step",
                    "btn-step-g": "step", "btn-reset": "reset", "btn-save": "save", "btn-restore": "restore" };
  document.documentElement.style.setProperty("--not-done", JSON.stringify(t("errors.title"))); // over a refusal, by page.css
  const find = (id) => { const found = document.getElementById(id); return found && found.tagName !== "BUTTON" ? found.querySelector("button") : found; };

  // Which of the three are worth a place. Exactly one of them is the primary button.
  function places() {
    const { pause, resume, start } = store.controls;
    if (pause) return ["btn-pause"];
    if (resume) return start ? ["btn-resume", "btn-start"] : ["btn-resume"];
    if (store.status && store.status.state === "starting") return ["btn-pause"];
    return ["btn-start"];
  }
  const set = (element, name, value) => {
    if (value === null ? element.hasAttribute(name) : element.getAttribute(name) !== value) {
      if (value === null) element.removeAttribute(name); else element.setAttribute(name, value);
    }
  };
  function apply() {
    const shown = places(), reachable = store.connection === "open";
    for (const [id, control] of Object.entries(CONTROL)) {
      const button = find(id);
      if (!button) continue;
      const enabled = reachable && Boolean(store.controls[control]) && !(store.pending === "start" && control === "start");
      if (button.disabled === enabled) button.disabled = !enabled;
      set(button, "aria-disabled", String(!enabled));
      set(button, "title", t(`transport.hint_${id.slice(4).replace("-", "_")}`));
      if (["start", "pause", "resume"].includes(control)) {
        const place = shown.indexOf(id);
        set(button, "data-place", place < 0 ? "none" : place ? "second" : "first");
      }
      if (id === "btn-start") set(button, "data-note", store.worker === "warming" && enabled ? t("states.warming") : null);
      watch(button);
    }
  }
  // Gradio renders its buttons again now and then, with its own idea of "disabled".
  const watched = new WeakSet();
  function watch(button) {
    if (watched.has(button)) return;
    watched.add(button);
    new MutationObserver(apply).observe(button, { attributes: true, attributeFilter: ["disabled", "class", "data-place"] });
  }

  // Dialogs. choices: [label, id of the native button to press], and with a third, true, one that begins no new run.
  function dialog(title, sentence, ...choices) {
    if (document.querySelector("dialog[open]")) return;
    const box = h("dialog", { class: "gan-dialog", "aria-labelledby": "gan-dialog-title" });
    const close = () => { box.close(); box.remove(); };
    const buttons = choices.map(([label, id, same], i) => h("button", { type: "button", class: i ? "gan-btn" : "gan-btn gan-primary", onclick: () => {
      close();
      if (same) find(id)?.click(); else begin(id);
    } }, label));
    box.append(h("h2", { id: "gan-dialog-title" }, title), h("p", {}, sentence),
      h("div", { class: "gan-row" }, ...buttons, h("button", { type: "button", class: "gan-btn", onclick: close }, t("dialog.cancel"))));
    box.addEventListener("cancel", () => box.remove());
    box.addEventListener("click", (event) => { if (event.target === box) close(); });
    (document.querySelector(".gradio-container") || document.body).append(box);
    box.showModal();
    buttons[0].focus();
  }
  window.gan.dialog = dialog;
  // A new run in this browser: it is the one to look at from now on.
  function begin(id) {
    const button = find(id);
    if (!button) return;
    try { sessionStorage.removeItem("gan.run"); } catch { /* was not kept */ }
    pending();
    button.click();
  }
  function pending() {
    store.pending = "start";
    emit("pending");
    apply();
  }
  addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button[id^=btn-], [id^=btn-] button");
    const id = button && (button.id || button.closest("[id^=btn-]").id);
    if (!id) return;
    if (event.detail > 0) button.blur(); // after the mouse the keys are the page's again; who came by Tab keeps the focus
    if (id === "btn-reset" && find("btn-reset-confirm")) {
      event.stopImmediatePropagation();
      event.preventDefault();
      if (button.disabled) return;
      const choices = [[t("dialog.reset_go"), "btn-reset-confirm"]];
      if (find("btn-reset-paused")) choices.push([t("dialog.reset_paused"), "btn-reset-paused"]);
      dialog(t("dialog.reset_title"), t("dialog.reset_text"), ...choices);
    } else if (id === "btn-restore") {
      const { step, value, name } = (store.status && store.status.best) || {};
      if (button.disabled || step === undefined) return;
      dialog(t("dialog.restore_title", { step: number(step) }), t("dialog.restore_text", { step: number(step), name: t(`measures.${name}`), value: short(value) }),
        [t("dialog.restore_go"), "btn-restore-confirm", true]);
    } else if (id === "btn-start" && store.active && store.active !== store.run && find("btn-start-force")) {
      event.stopImmediatePropagation();
      event.preventDefault();
      dialog(t("dialog.busy_title"), t("dialog.busy_text"), [t("dialog.busy_go"), "btn-start-force"]);
    } else if (id === "btn-start" && !button.disabled) {
      try { sessionStorage.removeItem("gan.run"); } catch { /* was not kept */ }
      pending();
    }
  }, true);

  // Keyboard: space, S, R, where no other thing on the page wants the key.
  const TAKEN = "input, textarea, select, button, a, summary, dialog, [contenteditable], [role=slider], [role=tab], [role=listbox], [role=option], [role=button]";
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
    if (event.target.closest && event.target.closest(TAKEN)) return;
    if (document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const id = key === " " ? places()[0] : key === "s" ? "btn-step" : key === "r" ? "btn-reset" : null;
    const button = id && find(id);
    if (!button || !button.offsetParent) return; // another tab is open
    event.preventDefault();
    if (!button.disabled) button.click();
  });

  on("snapshot status connection page", apply);
})();
