// Sliders' places, sizes of pictures, points on the plane, strokes, and the map of opinions.
import assert from "node:assert/strict";
import test from "node:test";
import { FINER, opacities, softened } from "../../../gan_core/ui/web/lib/heat.js";
import { blend, outside, projection, shareInside } from "../../../gan_core/ui/web/lib/plane.js";
import { sliderScale } from "../../../gan_core/ui/web/lib/scale.js";
import { along } from "../../../gan_core/ui/web/lib/strokes.js";
import { wholeMultiple, zoom } from "../../../gan_core/ui/web/lib/zoom.js";

const RATES = { low: 1e-6, high: 1e-1, stops: 200, log: true, zero: true };

test("a slider's ends are its range, and 0 lies left of it where it is allowed", () => {
  const scale = sliderScale(RATES, false);
  assert.deepEqual([scale.last, scale.value(0), scale.value(1), scale.value(201)], [201, 0, 1e-6, 0.1]);
  assert.deepEqual([scale.place(0), scale.place(1e-9), scale.place(5)], [0, 1, 201]);
  const plain = sliderScale({ low: 2, high: 10, stops: 8, log: false, zero: false }, true);
  assert.deepEqual([plain.last, plain.value(0), plain.value(3), plain.value(8), plain.place(5)], [8, 2, 5, 10, 3]);
});

test("a value comes back to its place, within what two digits can say", () => {
  const scale = sliderScale(RATES, false);
  for (let place = 1; place <= scale.last; place++) assert.ok(Math.abs(scale.place(scale.value(place)) - place) < 1);
});

test("a slider in equal ratios has equal ratios", () => {
  const { value } = sliderScale({ low: 1, high: 512, stops: 9, log: true, zero: false }, true);
  assert.deepEqual(Array.from({ length: 10 }, (_, i) => value(i)), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
});

test("a picture is drawn at a whole multiple of its pixels, counted in the screen's", () => {
  assert.deepEqual([wholeMultiple(500, 224, 1), wholeMultiple(100, 224, 1), wholeMultiple(500, 224, 1.5)], [448, 224, 448]);
  assert.equal(zoom(500, 224, 1), 2);
  assert.equal(zoom(440, 224, 1), 440 / 224, "a whole multiple would leave half of the room empty");
  assert.equal(zoom(100, 224, 1), 100 / 224, "none fits");
});

test("the view fills the square, y upwards", () => {
  const [x, y] = projection([-1, 3, 0, 2], 100);
  assert.deepEqual([x(-1), x(3), y(0), y(2), x(1), y(1)], [0, 100, 100, 0, 50, 50]);
});

test("frames blend only where they have as many points", () => {
  assert.deepEqual(blend([0, 10], [10, 20], 0.25), [2.5, 12.5]);
  const to = [1, 2];
  for (const from of [null, undefined, [1]]) assert.equal(blend(from, to, 0.5), to);
  assert.equal(blend([0, 0], to, 1), to);
});

test("points of a stroke lie at even distances on its line, at most as many as are left", () => {
  const points = along([0, 0], [0.3, 0.4], 3000);
  assert.equal(points.length, Math.floor(0.5 / 0.012));
  points.forEach(([x, y], k) => assert.ok(Math.hypot(x - 0.6 * 0.012 * (k + 1), y - 0.8 * 0.012 * (k + 1)) < 1e-9));
  assert.equal(along([0, 0], [1, 0], 5).length, 5);
  assert.deepEqual([along([0, 0], [0.01, 0], 9), along([0, 0], [0, 0], 9), along([0, 0], [1, 1], -1)], [[], [], []]);
});

test("an even opinion stays even, and softening moves nothing at the rim", () => {
  assert.deepEqual(new Set(softened(new Uint8Array(16).fill(90), 4)), new Set([90]));
  const flat = opacities(new Uint8Array(16).fill(128), 4);
  assert.equal(flat.length, (4 * FINER) ** 2);
  assert.equal(new Set(flat).size, 1);
});

test("opacity grows with the opinion, is half of its depth at a half, and never drowns the points", () => {
  const at = (value) => opacities(new Uint8Array(4).fill(value), 2)[0];
  const all = Array.from({ length: 256 }, (_, v) => at(v));
  assert.ok(all.every((value, i) => !i || value >= all[i - 1]));
  assert.ok(all[0] === 0 && all[255] <= 0.45 * 255 + 1);
  assert.ok(Math.abs(all[128] - 0.45 * 127.5) < 2);
});

test("the lowest row of the map is drawn at the bottom", () => {
  const cells = new Uint8Array(16);
  cells.fill(255, 0, 4);
  const fine = 4 * FINER, drawn = opacities(cells, 4);
  assert.ok(drawn[(fine - 1) * fine] > 0.4 * 255 && drawn[0] === 0);
});

test("points outside are counted once each, at the side over which they are furthest away", () => {
  const view = [-1, 1, 0, 4];
  assert.deepEqual(outside([0, 2, 1, 4, -1, 0], view), { left: 0, right: 0, top: 0, bottom: 0 });
  assert.deepEqual(outside([-2, 2, -5, 4.5, 9, 2, 0, 4.1, 0, -3, 3, -9], view), { left: 2, right: 1, top: 1, bottom: 2 });
});

test("an arrow is cut where it would leave the square, and one from outside is none", () => {
  for (const [x, y, dx, dy, share] of [[50, 50, 10, -10, 1], [90, 50, 20, 0, 0.5], [90, 50, -20, 0, 1], [50, 5, 0, -10, 0.5],
    [95, 98, 10, 8, 0.25], [100, 50, 5, 0, 0], [0, 50, 5, 5, 1], [101, 50, -10, 0, 0], [50, -1, 0, 10, 0], [50, 50, 0, 0, 1]]) {
    assert.equal(shareInside(x, y, dx, dy, 100), share, `${[x, y, dx, dy]}`);
  }
});
