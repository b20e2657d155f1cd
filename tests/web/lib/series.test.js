// The curves' numbers, and which frames are kept.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { kept } from "../../../gan_core/ui/web/lib/history.js";
import { append, copied, last, recentMean, spread, thinned } from "../../../gan_core/ui/web/lib/series.js";
import { smoothed } from "../../../gan_core/ui/web/lib/smoothing.js";

const range = (size) => Array.from({ length: size }, (_, i) => i);

test("the page keeps the very frames that the worker keeps", () => {
  const { rule, cases } = JSON.parse(readFileSync(new URL("../generated/frames.json", import.meta.url), "utf-8"));
  assert.ok(cases.length > 20 && cases.some(({ steps, kept: some }) => some.length < steps.length));
  for (const { steps, kept: expected } of cases) {
    assert.deepEqual(kept(steps.map((step) => ({ step })), rule).map(({ step }) => step), expected);
  }
});

test("kept one by one as they come, frames are those kept at once", () => {
  const rule = { ratio: 1.08, newest: 2 };
  let one = [];
  for (const step of range(400)) one = kept([...one, { step }], rule);
  assert.deepEqual(one, kept(range(400).map((step) => ({ step })), rule));
});

test("new rows are appended to every column, with null where there is no value", () => {
  const columns = copied({ step: [1], d_loss: [0.5] });
  append(columns, { step: [2, 3], d_loss: [null], g_loss: [9, 9] });
  assert.deepEqual(columns, { step: [1, 2, 3], d_loss: [0.5, null, null] });
});

test("a copy shares nothing, and has steps at least", () => {
  const source = { step: [1] }, copy = copied(source);
  copy.step.push(2);
  assert.deepEqual([source, copied(null)], [{ step: [1] }, { step: [] }]);
});

test("thinning halves the older half only, in every column alike", () => {
  const short = { step: range(4000) };
  assert.equal(thinned(short), short);
  const { step, d_loss } = thinned({ step: range(4001), d_loss: range(4001) });
  assert.deepEqual(step, d_loss);
  assert.deepEqual(step.filter((s) => s > 2001), range(4001).filter((s) => s > 2001));
  assert.deepEqual(step.filter((s) => s <= 2000), range(2001).filter((s) => s % 2 === 0));
});

test("a spread sample is evenly chosen, no longer than asked for but for the last one, which is there", () => {
  for (const size of [0, 1, 5, 1200, 1201, 9999]) {
    const some = range(size).filter(spread(size, 1200));
    assert.ok(some.length <= 1201);
    assert.equal(some.at(-1), range(size).at(-1));
    if (size <= 1200) assert.equal(some.length, size);
  }
});

test("the newest value is the newest that is a number", () => {
  assert.equal(last([1, 2, null, NaN]), 2);
  assert.deepEqual([last([]), last([null]), last(undefined)], [null, null, null]);
});

test("a recent mean leaves out what is missing, and falls back to the newest value", () => {
  assert.equal(recentMean([100, 1, null, 3], 3), 2);
  assert.equal(recentMean([5, null, null], 2), 5);
  assert.equal(recentMean([], 20), null);
});

test("smoothing is a weighted mean with weights w^k, corrected for its start", () => {
  const values = [3, 1, 4, 1, 5], w = 0.9;
  smoothed(values, w).forEach((value, i) => {
    const weights = range(i + 1).map((k) => w ** (i - k));
    const mean = weights.reduce((sum, weight, k) => sum + weight * values[k], 0) / weights.reduce((sum, weight) => sum + weight);
    assert.ok(Math.abs(value - mean) < 1e-12);
  });
  assert.deepEqual(smoothed(values, 0), values);
});

test("a missing value stays missing and changes no other", () => {
  const [a, missing, b] = smoothed([3, null, 1], 0.9);
  assert.ok(Number.isNaN(missing));
  assert.deepEqual([a, b], smoothed([3, 1], 0.9));
});
