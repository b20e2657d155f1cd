import assert from "node:assert/strict";
import { test } from "node:test";

import { belowZero, curveColumns, givenUpColumns } from "../../../gan_core/ui/web/curves/columns.js";
import { store } from "../../../gan_core/ui/web/store.js";

const step = Array.from({ length: 400 }, (_, i) => i + 1);
const spiky = (/** @type {number} */ usual, /** @type {number} */ spike) =>
  step.map((n) => (n < 4 ? spike : usual + 0.001 * (n % 3)));

test("a loss far away is drawn at the edge, a belief never: its axis is fixed", () => {
  store.series = { step, d_loss: spiky(1, 1200), g_loss: spiky(1, 1), d_real: spiky(0.5, 0.97), d_fake: spiky(0.5, 0.02) };
  const data = curveColumns(0.9, false);
  assert.ok(Number(data.d_loss_drawn[0]) < 2 && data.d_loss_above[0] === data.d_loss_drawn[0] && data.d_loss[0] === 1200);
  assert.deepEqual([data.d_real_drawn[0], data.d_fake_drawn[0]], [0.97, 0.02]);
  assert.ok([...data.d_real_above, ...data.g_loss_above, ...data.d_loss_below].every(Number.isNaN));
});

test("on a logarithmic axis nothing is cut", () => {
  store.series = { step, d_loss: spiky(1, 1200), g_loss: spiky(1, 1), d_real: spiky(0.5, 0.5), d_fake: spiky(0.5, 0.5) };
  assert.equal(curveColumns(0.9, true).d_loss_drawn[0], 1200);
});

test("what was given up leaves today's line where the run went back, however wild it became", () => {
  const past = { step: [201, 202, 203], d_loss: [1, 1200, NaN], g_loss: [2, 2, 2], d_real: [0.5, 1, 0.5], d_fake: [0.5, 0, 0] };
  store.series = { step, d_loss: spiky(1, 1), g_loss: spiky(1, 1), d_real: spiky(0.5, 0.5), d_fake: spiky(0.5, 0.5) };
  assert.deepEqual(givenUpColumns(0, false).step, []);
  store.given_up = { step: 200, series: past, quality: [], marks: [] };
  const now = curveColumns(0, false), { step: steps, d_loss_smooth: wild, d_real_smooth: belief } = givenUpColumns(0, false);
  assert.deepEqual(steps, [200, 201, 202, 203]);
  assert.equal(wild[0], now.d_loss_smooth[199]);
  assert.ok(Number(wild[2]) > 1 && Number(wild[2]) < 2 && Number.isNaN(wild[3]));
  assert.deepEqual(belief.slice(1), past.d_real);
  store.given_up = { step: 0, series: past, quality: [], marks: [] };
  assert.deepEqual(givenUpColumns(0, false).step, [201, 202, 203], "back to the very beginning");
  store.given_up = null;
});

test("what was given up is cut also where today's line is short, and today's line never is", () => {
  for (const rows of [1, 3, 20, 49]) {
    const early = step.slice(0, rows), past = step.slice(rows), half = (/** @type {number} */ n) => 0.5 + 0.1 * (n % 2);
    const loss = (/** @type {number} */ n) => 1 + 0.1 * (n % 3);
    const columns = (/** @type {number[]} */ of, /** @type {number} */ spike) => ({ step: of, d_loss: of.map(loss),
      g_loss: of.map((n, i) => (i === 2 ? spike : loss(n))), d_real: of.map(half), d_fake: of.map(half) });
    store.series = columns(early, 8);
    store.given_up = { step: rows, series: columns(past, 1200), quality: [], marks: [] };
    const now = curveColumns(0, false), ghost = givenUpColumns(0, false);
    assert.deepEqual(now.g_loss_drawn, store.series.g_loss);
    assert.ok(Math.max(...ghost.g_loss_smooth.map(Number)) < 50, `${rows} rows: the chart keeps its height`);
    assert.equal(ghost.g_loss_smooth[0], now.g_loss_smooth[rows - 1], "it leaves today's line");
  }
  store.given_up = null;
});

test("a loss below 0 is explained by its kind, and where no kind explains it by the noise on the labels", () => {
  assert.deepEqual(belowZero({ d_loss: "distance", g_loss: "score" }, [-1]), ["distance", "score"]);
  assert.deepEqual(belowZero({ g_loss: "logarithm" }, [0.4, null]), ["logarithm"]);
  assert.deepEqual(belowZero({}, [0.4, -0.01]), ["noise"]);
  assert.deepEqual(belowZero(undefined, undefined), []);
});
