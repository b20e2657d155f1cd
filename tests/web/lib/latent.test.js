// z under the sliders, and a verdict's name.
import assert from "node:assert/strict";
import test from "node:test";
import { LatentPoint, pushed, seedOf, verdictName } from "../../../gan_core/ui/web/lib/latent.js";

const DIRECTIONS = [[1, 0, 0], [0, 2, -1]];

function point() {
  const one = new LatentPoint();
  one.adopt(DIRECTIONS, 3);
  one.restart(Float32Array.of(1, 1, 1));
  return one;
}

test("z is the base and the pushes along the directions", () => {
  assert.deepEqual([...pushed([1, 1, 1], [0.5, -2], DIRECTIONS)], [1.5, -3, 3]);
  const base = Float32Array.of(1, 1, 1);
  pushed(base, [1, 1], DIRECTIONS);
  assert.deepEqual([...base], [1, 1, 1], "the base itself stays");
});

test("sliders move pushes, and coordinates once they are raw, from where the directions have led", () => {
  const one = point();
  one.set(1, 2);
  assert.deepEqual([one.count, one.get(1), ...one.z(one.base)], [2, 2, 1, 5, -1]);
  one.toggleRaw();
  assert.deepEqual([one.count, one.get(1), ...one.z(one.base)], [3, 5, 1, 5, -1]);
  one.set(0, -4);
  one.toggleRaw();
  assert.deepEqual([one.get(0), ...one.z(one.base)], [0, -4, 5, -1]);
});

test("the middle is the base, and 0 where the sliders are raw", () => {
  const one = point();
  one.set(0, 3);
  one.center();
  assert.deepEqual([...one.z(one.base)], [1, 1, 1]);
  one.toggleRaw();
  one.center();
  assert.deepEqual([...one.z(one.base)], [0, 0, 0]);
});

test("other directions leave the sliders where they are; another z begins anew", () => {
  const one = point();
  one.set(0, 3);
  assert.equal(one.adopt([[0, 1, 0], [1, 0, 0]], 3), false);
  assert.deepEqual([one.get(0), ...one.z(one.base)], [3, 1, 4, 1]);
  assert.equal(one.adopt([[0, 1, 0]], 3), true);
  assert.deepEqual([one.count, one.get(0)], [1, 3]);
  assert.equal(one.adopt([[1, 0]], 2), true);
  assert.equal(one.base, null);
});

test("a verdict has five names, symmetric around a half", () => {
  const names = [0, 0.099, 0.1, 0.399, 0.4, 0.5, 0.6, 0.601, 0.9, 0.901, 1].map(verdictName);
  assert.deepEqual(names, ["fake", "fake", "rather_fake", "rather_fake", "unsure", "unsure", "unsure",
    "rather_real", "rather_real", "real", "real"]);
});

test("a seed is a whole number that the server takes", () => {
  assert.deepEqual(["7", "7.9", "-3", "", "x", "99999999999"].map(seedOf), [7, 7, 0, 0, 0, 2147483647]);
});
