// Points on the plane: real and fake, the discriminator's opinion as a map, its push as arrows, the generator's bent grid.
// It draws what it is given; which frame that is, newest or past, is decided in samples.js.
(() => {
  "use strict";
  const { h, t, on, number, remember, store } = window.gan;
  const LAYERS = ["real", "fakes", "opinion", "arrows", "grid"]; // as listed beside the plane
  const GLIDE_MS = 180; // from one frame to the next, which is 250 ms away at least
  const CHEAP_MS = 5; // a drawing that takes longer does not glide: the machine that draws is often the machine that trains
  const GLIDE_EVERY_MS = 28; // between two drawings on the way
  const DEEPEST = 0.45, SHARPER = 3, FINER = 4;
  const LEGEND_WIDTH = 178, GAP = 16;
  const still = matchMedia("(prefers-reduced-motion: reduce)"), stacked = matchMedia("(max-width: 1269.9px)");

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colours = () => ({ real: css("--real"), gen: css("--gen"), dis: css("--dis"), card: css("--card"), ink: css("--ink") });

  // A square canvas in the screen's own pixels. Setting a size empties it, so only a new one is set.
  function sized(canvas, side) {
    const ratio = window.devicePixelRatio || 1, pixels = Math.max(1, Math.round(side * ratio));
    if (canvas.width !== pixels || canvas.height !== pixels) canvas.width = canvas.height = pixels;
    canvas.style.width = canvas.style.height = `${side}px`;
    const context = canvas.getContext("2d");
    context.setTransform(pixels / side, 0, 0, pixels / side, 0, 0);
    context.clearRect(0, 0, side, side);
    return context;
  }
  const onto = ([x0, x1, y0, y1], side) => [(x) => ((x - x0) / (x1 - x0)) * side, (y) => ((y1 - y) / (y1 - y0)) * side];

  // Real points are squares, fakes are discs: they differ in more than colour. Many at one place are darker than one.
  function reals(context, real, side, colour) {
    const [x, y] = onto(real.view, side), size = Math.max(2.5, side / 72);
    context.fillStyle = colour;
    context.globalAlpha = 0.4;
    for (const [px, py] of real.points) context.fillRect(x(px) - size / 2, y(py) - size / 2, size, size);
    context.globalAlpha = 1;
  }
  function discs(context, flat, x, y, radius, { gen, card }) {
    context.beginPath();
    for (let i = 0; i < flat.length; i += 2) {
      const px = x(flat[i]), py = y(flat[i + 1]);
      context.moveTo(px + radius, py);
      context.arc(px, py, radius, 0, 2 * Math.PI);
    }
    Object.assign(context, { lineWidth: 1, strokeStyle: card, fillStyle: gen });
    context.stroke();
    context.fill();
  }
  function arrows(context, fake, push, x, y, scale, { dis, card }) {
    const head = 4;
    context.beginPath();
    for (let i = 0; i < push.length; i += 2) {
      const dx = push[i] * scale, dy = -push[i + 1] * scale, length = Math.hypot(dx, dy);
      if (length < 2) continue;
      const px = x(fake[i]), py = y(fake[i + 1]), tipX = px + dx, tipY = py + dy, ux = dx / length, uy = dy / length;
      const barb = Math.min(head, length / 2);
      context.moveTo(px, py);
      context.lineTo(tipX, tipY);
      context.moveTo(tipX - barb * (ux + 0.6 * uy), tipY - barb * (uy - 0.6 * ux));
      context.lineTo(tipX, tipY);
      context.lineTo(tipX - barb * (ux - 0.6 * uy), tipY - barb * (uy + 0.6 * ux));
    }
    Object.assign(context, { lineWidth: 2.8, strokeStyle: card, lineJoin: "round", lineCap: "round", globalAlpha: 0.7 });
    context.stroke();
    Object.assign(context, { lineWidth: 1.2, strokeStyle: dis, globalAlpha: 1 });
    context.stroke();
  }
  function net(context, flat, size, x, y, colour) {
    context.beginPath();
    for (let along = 0; along < 2; along++) {
      for (let line = 0; line < size; line++) {
        for (let k = 0; k < size; k++) {
          const i = 2 * (along ? k * size + line : line * size + k);
          if (k) context.lineTo(x(flat[i]), y(flat[i + 1])); else context.moveTo(x(flat[i]), y(flat[i + 1]));
        }
      }
    }
    Object.assign(context, { lineWidth: 0.8, strokeStyle: colour, globalAlpha: 0.5, lineJoin: "round" });
    context.stroke();
    context.globalAlpha = 1;
  }
  function ring(context, px, py, { gen, card, ink }) {
    const circle = (radius, width, colour) => {
      context.beginPath();
      context.arc(px, py, radius, 0, 2 * Math.PI);
      Object.assign(context, { lineWidth: width, strokeStyle: colour });
      context.stroke();
    };
    circle(8, 5, card);
    circle(8, 2, ink);
    discs(context, [px, py], Number, Number, 3.2, { gen, card });
  }
  // Opacity of the map by 255 * P(real): one fixed curve, steepest at the middle, because a discriminator that is held back
  // by penalties stays near it; and never so opaque that it drowns the points. SHARPER times the logit, then P again.
  const OPACITY = Uint8ClampedArray.from({ length: 256 }, (_, v) => {
    const p = Math.min(254, Math.max(1, v)) / 255;
    return (255 * DEEPEST) / (1 + (1 / p - 1) ** SHARPER);
  });
  // Once for each frame. Where the discriminator is sure, the map is a coast of square cells: it is rounded by a binomial filter
  // and drawn finer before the curve is applied.
  function coloured(map, heat, colour) {
    const size = heat.size, fine = size * FINER, bytes = atob(heat.values), context = map.getContext("2d");
    const at = (row, column) => bytes.charCodeAt(Math.min(size - 1, Math.max(0, row)) * size + Math.min(size - 1, Math.max(0, column)));
    const along = (f, i) => (f(i - 1) + 2 * f(i) + f(i + 1)) / 4;
    const soft = new Float32Array(size * size);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) soft[row * size + column] = along((r) => along((c) => at(r, c), column), row);
    }
    const image = context.createImageData(fine, fine), [r, g, b] = colour.match(/[0-9a-f]{2}/gi).map((two) => parseInt(two, 16));
    const places = Array.from({ length: fine }, (_, i) => { // where each fine row or column lies between two coarse ones
      const place = Math.min(size - 1, Math.max(0, (i + 0.5) / FINER - 0.5)), low = Math.min(size - 2, Math.floor(place));
      return [low, place - low];
    });
    for (let i = 0; i < fine; i++) {
      const [row, up] = places[fine - 1 - i]; // row 0 of the map is at the bottom
      for (let j = 0; j < fine; j++) {
        const [column, right] = places[j], from = row * size + column;
        const below = soft[from] + right * (soft[from + 1] - soft[from]);
        const above = soft[from + size] + right * (soft[from + size + 1] - soft[from + size]);
        const to = 4 * (i * fine + j);
        image.data[to] = r;
        image.data[to + 1] = g;
        image.data[to + 2] = b;
        image.data[to + 3] = OPACITY[Math.round(below + up * (above - below))];
      }
    }
    map.width = map.height = fine;
    context.putImageData(image, 0, 0);
  }
  const blend = (from, to, share) => (share >= 1 || !from || from.length !== to.length ? to
    : to.map((value, i) => from[i] + (value - from[i]) * share));

  // The plane inside a holder: {show(points, {step, run, live}), hide(), element}.
  function stage(holder) {
    const canvas = h("canvas", { class: "gan-points", role: "img" });
    const shown = Object.fromEntries(LAYERS.map((name) => [name, remember(`gan.layer.${name}`) !== "0"]));
    const legend = h("fieldset", { class: "gan-layers" }, h("legend", { class: "gan-hidden" }, t("plane.layers")),
      ...LAYERS.map((name) => {
        const box = h("input", { type: "checkbox", id: `layer-${name}`, "aria-describedby": `about-${name}` });
        box.checked = shown[name];
        box.addEventListener("change", () => { shown[name] = box.checked; remember(`gan.layer.${name}`, box.checked ? "1" : "0"); ask(); });
        return h("div", { class: "gan-layer" }, box, h("i", { class: `gan-mark ${name}`, "aria-hidden": "true" }),
          h("label", { for: box.id }, t(`plane.${name}`)), h("span", { id: `about-${name}`, class: "gan-about" }, t(`plane.${name}.help`)));
      }));
    const element = h("div", { class: "gan-plane", hidden: true }, canvas, legend);
    const map = document.createElement("canvas"), backs = document.createElement("canvas");
    let frame = null, about = {}, from = null, to = null, drawn = null, began = 0, due = 0, drawnAt = 0, cost = 0, side = 0, paint = colours(), backed = "", driven = null;
    holder.append(element);

    function size() {
      const wide = holder.clientWidth, high = holder.clientHeight;
      const fits = stacked.matches ? Math.min(wide - 4, 0.55 * innerHeight) : Math.min(high - 4, wide - LEGEND_WIDTH - GAP - 4);
      side = Math.max(120, Math.floor(fits));
      ask();
    }
    function ask() { if (!due && frame) due = requestAnimationFrame(draw); }
    function draw(now) {
      due = 0;
      if (!frame || element.hidden || !side || !element.isConnected) return;
      if (from && now - drawnAt < GLIDE_EVERY_MS && now - began < GLIDE_MS) { ask(); return; }
      drawnAt = now;
      const start = performance.now(), share = from ? Math.min(1, (now - began) / GLIDE_MS) : 1;
      const eased = share * (2 - share), context = sized(canvas, side), [x, y] = onto(frame.view, side);
      drawn = { fake: blend(from && from.fake, to.fake, eased), push: blend(from && from.push, to.push, eased), warp: blend(from && from.warp, to.warp, eased) };
      if (shown.opinion) {
        context.imageSmoothingQuality = "high";
        context.drawImage(map, 0, 0, side, side);
      }
      if (shown.grid) net(context, drawn.warp, frame.warp.length, x, y, paint.gen);
      if (shown.real && store.real && store.real.points) context.drawImage(background(), 0, 0, side, side);
      if (shown.arrows) arrows(context, drawn.fake, drawn.push, x, y, side / (frame.view[1] - frame.view[0]), paint);
      if (shown.fakes) discs(context, drawn.fake, x, y, Math.max(1.8, side / 190), paint);
      if (driven && about.live && driven.run === about.run) ring(context, x(driven.point[0]), y(driven.point[1]), paint);
      cost = 0.8 * cost + 0.2 * (performance.now() - start);
      if (share < 1) ask(); else from = null;
    }
    // Real points never move: drawn once for each size, colour and run.
    function background() {
      const key = [side, window.devicePixelRatio, paint.real, store.run, store.real.points.length].join();
      if (key !== backed) reals(sized(backs, side), store.real, side, paint.real);
      backed = key;
      return backs;
    }
    function show(points, { step, run, live }) {
      const glides = live && about.live && about.run === run && drawn && !element.hidden && !still.matches && cost < CHEAP_MS;
      from = glides ? drawn : null;
      began = performance.now();
      frame = points;
      to = { fake: points.fake.flat(), push: points.push.flat(), warp: points.warp.flat(2) };
      about = { run, live };
      coloured(map, points.heat, paint.dis);
      canvas.setAttribute("aria-label", t("plane.alt", { step: number(step) }));
      const first = element.hidden;
      element.hidden = false;
      if (first) size(); else ask();
    }
    function hide() {
      element.hidden = true;
      frame = from = drawn = null;
      about = {};
    }
    new ResizeObserver(size).observe(holder);
    on("colours", () => { paint = colours(); if (frame) coloured(map, frame.heat, paint.dis); ask(); }, holder);
    on("driven", (where) => { driven = where; ask(); }, holder);
    return { show, hide, element };
  }

  // A small plane of real points alone.
  function strip(canvas, side, real = store.real) {
    if (real && real.points) reals(sized(canvas, side), real, side, css("--real"));
  }

  window.gan.plane = { stage, strip };
})();
