// The settings card: its two faces (the next run, and the run that trains now) and the headings between the presets.
// The form itself is gradio's; this writes no value of it.
(() => {
  "use strict";
  const { h, t, say, store, on, segments, parts } = window.gan;
  let arrived = false; // whether the first that was heard from the server has been looked at

  parts.faces = (root) => {
    const bar = segments(t("knobs.faces"), [["next", t("knobs.next")], ["now", t("knobs.now")]], "next", (face) => {
      const card = root.closest("#gan-settings");
      if (card) { card.dataset.face = face; card.scrollTop = 0; }
    });
    bar.id = "settings-face";
    root.append(bar);
    function arrive() { // who comes while a run is at work sees that run's data and knobs, not a form that nobody has filled in
      if (arrived || store.connection !== "open" || !store.status) return;
      arrived = true;
      if (store.kind === "run" && ["starting", "running", "paused"].includes(store.status.state)) bar.lastElementChild.click();
    }
    on("snapshot", arrive, root);
    arrive();
    const now = bar.lastElementChild;
    function count() { // how many knobs stand otherwise than the shown run began with
      const many = Object.keys((store.status && store.status.tuned) || {}).length;
      say(now, many ? t("knobs.now_many", { n: many }) : t("knobs.now"));
    }
    on("snapshot status", count, root);
    count();
  };

  // Gradio's list opens when it is given the focus, and after Escape it keeps the focus: a click would open nothing.
  addEventListener("pointerdown", ({ target }) => {
    if (target.role === "combobox" && target === document.activeElement && target.ariaExpanded === "false") target.blur();
  }, true);

  // Gradio's radio group knows no headings: the first card of each group carries its heading as an attribute, which the style shows.
  parts.presets = (root) => {
    const groups = JSON.parse(root.dataset.presets);
    function heads() {
      let before = "";
      for (const input of document.querySelectorAll("#preset input")) {
        const group = groups[input.value] || before, label = input.closest("label");
        const head = group && group !== before ? t(`presets.group_${group}`) : null;
        if (head && label.dataset.head !== head) label.dataset.head = head;
        if (!head && label.dataset.head) delete label.dataset.head;
        if (label.title !== label.textContent.trim()) label.title = label.textContent.trim();
        before = group;
      }
    }
    on("page snapshot", heads, root);
    heads();
  };
})();
