import assert from "node:assert/strict";
import { test } from "node:test";

import { clipped, usualRange } from "../../../gan_core/ui/web/lib/robust.js";

const calm = Array.from({ length: 400 }, (_, i) => 1 + 0.2 * Math.sin(i));

test("a spike is at the edge and named, the rest is as it was", () => {
  const values = [...calm];
  values[100] = 1200;
  values[101] = -900;
  const range = usualRange(values), { inside, above, below } = clipped(values, range);
  assert.ok(range && range[1] < 5 && range[0] > -5);
  assert.deepEqual([inside[100], inside[101]], [range[1], range[0]]);
  assert.deepEqual([above[100], below[100], above[101], below[101]], [range[1], NaN, NaN, range[0]]);
  values.forEach((value, i) => {
    if (i !== 100 && i !== 101) assert.ok(inside[i] === value && Number.isNaN(above[i]) && Number.isNaN(below[i]));
  });
});

test("nothing is cut of a calm curve, of a short one, of a constant one, of one that grows or changes its level", () => {
  const curves = [calm, [1, 2, 1200], Array(100).fill(3), calm.map((value, i) => value + i),
    calm.map((value, i) => value + (i > 200 ? 50 : 0))];
  for (const curve of curves) {
    const { inside, above, below } = clipped(curve, usualRange(curve));
    assert.deepEqual(inside, curve);
    assert.ok([...above, ...below].every(Number.isNaN));
  }
});

test("few values are drawn as they are and bound their guests; where there are none, the guests are among themselves", () => {
  const few = [0.7, 1.4, 0.9], wild = [0.8, 1200, -900, NaN], range = usualRange(few, wild);
  assert.ok(range && range[0] < 0.7 && range[1] > 1.4 && range[1] < 10);
  assert.deepEqual(clipped(few, range).inside, few);
  assert.deepEqual(clipped(wild, range).inside, [0.8, range[1], range[0], NaN]);
  assert.equal(usualRange(few, [0.5, 1.6]), null, "nothing lies beyond");
  assert.equal(usualRange([0.7, 0.71], [0.4, 0.8, 1.2, 0.5]), null, "two values that are alike make no other one wild");
  for (const alike of [[1, 1], [0, 0, 0], [3], Array(100).fill(3)]) {
    const bounds = usualRange(alike, [0.5, 1200]);
    assert.ok(bounds && bounds[1] < 20, "nor do they let a wild one flatten the chart");
  }
  assert.ok(Number(usualRange([], [...calm, 1200])?.[1]) < 10 && Number(usualRange([1], [...calm, 1200])?.[1]) < 10);
  assert.equal(usualRange([], [1, 1200]), null);
});

test("where there is no value there is none, and no mark", () => {
  const values = [...calm, NaN, 1200, NaN], { inside, above } = clipped(values, usualRange(values));
  assert.ok(Number.isNaN(inside[400]) && Number.isNaN(above[400]) && above[401] === inside[401] && inside[401] < 10);
});
