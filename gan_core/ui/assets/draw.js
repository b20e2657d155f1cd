// The pad on which points are drawn by hand: pointer strokes, undo, clear. It hands the points to the server through a native
// button out of sight; what becomes of them is shown where all data are.
(() => {
  "use strict";
  const { h, t, say, on, number, parts } = window.gan;
  const STEP = 0.012, SETTLE_MS = 350, MOST = 3000; // between two points of a stroke, of the pad's side; points in all
  let strokes = [], late = 0;
  const all = () => strokes.flat();
  window.gan.drawing = () => all().map(([x, y]) => [Number(x.toFixed(4)), Number(y.toFixed(4))]);

  function hand() { // to the server, once the hand rests
    clearTimeout(late);
    late = setTimeout(() => {
      const found = document.getElementById("btn-draw"), button = found && (found.tagName === "BUTTON" ? found : found.querySelector("button"));
      if (button) button.click();
    }, SETTLE_MS);
  }

  parts.pad = (root) => {
    const canvas = h("canvas", { class: "gan-pad", id: "data-pad", role: "img", "aria-label": t("data.pad") });
    const count = h("span", { class: "gan-mute", role: "status" });
    const undo = h("button", { type: "button", class: "gan-btn gan-small", onclick: () => { strokes.pop(); changed(); } }, t("data.undo"));
    const clear = h("button", { type: "button", class: "gan-btn gan-small", onclick: () => { strokes = []; changed(); } }, t("data.clear"));
    root.append(canvas, h("div", { class: "gan-pad-side" }, h("span", { class: "gan-mute" }, t("data.pad_hint")), undo, clear, count));

    function draw() {
      const side = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
      if (!side) return;
      if (canvas.width !== Math.round(side * ratio)) canvas.width = canvas.height = Math.round(side * ratio);
      const context = canvas.getContext("2d"), size = Math.max(2.5, side / 60);
      context.setTransform(canvas.width / side, 0, 0, canvas.height / side, 0, 0);
      context.clearRect(0, 0, side, side);
      context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--real").trim();
      for (const [x, y] of all()) context.fillRect(x * side - size / 2, (1 - y) * side - size / 2, size, size);
      undo.disabled = clear.disabled = !strokes.length;
      const drawn = all().length;
      say(count, drawn ? t(drawn < MOST ? "data.pad_points" : "data.pad_full", { n: number(drawn) }) : "");
    }
    function changed() { draw(); hand(); }

    let stroke = null;
    const at = (event) => { // in the unit square, y upwards
      const box = canvas.getBoundingClientRect(), inside = (v) => Math.min(1, Math.max(0, v));
      return [inside((event.clientX - box.left) / box.width), inside(1 - (event.clientY - box.top) / box.height)];
    };
    function add(to) { // points at even distances along the way of the hand, however fast it was
      const from = stroke[stroke.length - 1], far = Math.hypot(to[0] - from[0], to[1] - from[1]), steps = Math.floor(far / STEP);
      for (let k = 1; k <= steps && all().length < MOST; k++) {
        const share = (k * STEP) / far;
        stroke.push([from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]);
      }
    }
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button > 0 || stroke || all().length >= MOST) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      clearTimeout(late);
      stroke = [at(event)];
      strokes.push(stroke);
      draw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!stroke) return;
      for (const one of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) add(at(one));
      draw();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { if (stroke) { stroke = null; changed(); } });
    new ResizeObserver(draw).observe(canvas);
    on("colours", draw, root);
    draw();
  };
})();
